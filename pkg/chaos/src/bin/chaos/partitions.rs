//! Partitions: one side of the system no longer reaches one server, and neither of them is told. Both live on and reach everybody else.
//!
//! The side that is cut off is started with an address of a [`NetworkPartition`] in place of the server's.

use testkit::{Builder, NetworkPartition, environment};

use crate::servers::{self, Server};

/// Who is cut off from what.
#[derive(Debug, Clone, Copy)]
pub enum PartitionKind {
    ApiFromEtcd,
    /// All processes of a service. Of no cluster, whose nodes name each other's real addresses.
    FromRedis(&'static str),
    ReplicaFromPrimary,
    VideoFromStore,
}

/// A partition that isn't cut yet, and the setting that makes a service use its addresses.
pub struct PreparedPartition {
    partition: NetworkPartition,
    setting: Option<(&'static str, &'static str, String)>,
}

impl PartitionKind {
    /// Makes its addresses. The replica connects through its own from now on, until [`servers::back`].
    pub async fn prepare(self) -> PreparedPartition {
        let mut partition = NetworkPartition::new().await;
        let setting = match self {
            Self::ApiFromEtcd => {
                let mut endpoints = Vec::new();
                for member in environment::etcd().split(',') {
                    let address = member.trim_start_matches("http://");
                    endpoints.push(format!("http://{}", partition.add_route(address).await));
                }
                Some(("api", "etcd.endpoints", endpoints.join(",")))
            }
            Self::FromRedis(service) => {
                let route = partition.add_route(&servers::redis_nodes()[0]).await;
                Some((service, "redis.url", format!("redis://{route}")))
            }
            Self::ReplicaFromPrimary => {
                let route = partition
                    .add_route(&servers::address(Server::Primary))
                    .await;
                servers::follow_over(Server::Replica, &route).await;
                None
            }
            Self::VideoFromStore => {
                let store = environment::s3_endpoint();
                let store = store.trim_start_matches("http://");
                let route = partition.add_route(store).await;
                Some(("video", "object_store.endpoint", format!("http://{route}")))
            }
        };
        PreparedPartition { partition, setting }
    }
}

impl PreparedPartition {
    /// Makes the side that will be cut off use the addresses.
    pub fn settings(&self, builder: Builder) -> Builder {
        match &self.setting {
            Some((service, key, value)) => builder.set_of(service, key, value),
            None => builder,
        }
    }

    /// The partition.
    pub fn into_partition(self) -> NetworkPartition {
        self.partition
    }
}
