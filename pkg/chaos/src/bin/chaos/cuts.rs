//! Partitions: one side of the system no longer reaches one server, and neither of them is told. Both live on and reach everybody else.
//!
//! The side that is cut off is started with the address of a way ([`Ways`]) in place of the server's.

use testkit::{Builder, Ways, environment};

use crate::servers::{self, Server};

/// Who is cut off from what.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    ApiFromEtcd,
    /// All processes of a service. Of no cluster, whose nodes name each other's real addresses.
    FromRedis(&'static str),
    ReplicaFromPrimary,
    VideoFromStore,
}

/// The ways of a cut, still open, and the setting that leads over them.
pub struct Opened {
    ways: Ways,
    setting: Option<(&'static str, &'static str, String)>,
}

impl Cut {
    /// Makes its ways. The replica goes over its own from now on, until [`servers::back`].
    pub async fn open(self) -> Opened {
        let mut ways = Ways::new().await;
        let setting = match self {
            Self::ApiFromEtcd => {
                let mut endpoints = Vec::new();
                for member in environment::etcd().split(',') {
                    let address = member.trim_start_matches("http://");
                    endpoints.push(format!("http://{}", ways.to(address).await));
                }
                Some(("api", "etcd.endpoints", endpoints.join(",")))
            }
            Self::FromRedis(service) => {
                let way = ways.to(&servers::redis_nodes()[0]).await;
                Some((service, "redis.url", format!("redis://{way}")))
            }
            Self::ReplicaFromPrimary => {
                let way = ways.to(&servers::address(Server::Primary)).await;
                servers::follow_over(Server::Replica, &way).await;
                None
            }
            Self::VideoFromStore => {
                let store = environment::s3_endpoint();
                let way = ways.to(store.trim_start_matches("http://")).await;
                Some(("video", "object_store.endpoint", format!("http://{way}")))
            }
        };
        Opened { ways, setting }
    }
}

impl Opened {
    /// Leads those that will be cut off over the ways.
    pub fn settings(&self, builder: Builder) -> Builder {
        match &self.setting {
            Some((service, key, value)) => builder.set_of(service, key, value),
            None => builder,
        }
    }

    /// The ways.
    pub fn ways(self) -> Ways {
        self.ways
    }
}
