//! The system under test: two processes of each service, one proxy before the primary, and one proxy to Redis for each service.

use std::{collections::BTreeMap, time::Duration};

use testkit::{Builder, NetworkPartition, System, TcpProxy, environment, eventually, free_port};
use tokio::task::JoinSet;

use crate::{
    report::Report,
    servers::{self, Server},
};

/// Readers at once of a burst.
const BURST: usize = 400;
/// How long a new process may take until it can be found.
const REGISTERED_LIMIT: Duration = Duration::from_secs(10);

pub struct Testbed {
    /// Readers who take no notice of refusals.
    burst: JoinSet<()>,
    // The system ends before the addresses of its servers do.
    pub system: System,
    primary: TcpProxy,
    /// By service. None before a cluster.
    redis: BTreeMap<&'static str, TcpProxy>,
    /// For the faults that are partitions.
    pub partition: Option<NetworkPartition>,
}

impl Testbed {
    /// With settings of its own.
    pub async fn start(settings: impl FnOnce(Builder) -> Builder) -> Self {
        let services = [
            "user", "video", "favorite", "comment", "relation", "message",
        ];
        let mut builder = services.iter().fold(System::builder(), |builder, name| {
            builder.instances(name, 2)
        });
        let mut redis = BTreeMap::new();
        if let [node] = &servers::redis_nodes()[..] {
            for service in services.into_iter().chain(["api"]) {
                let proxy = TcpProxy::to(node).await;
                let url = format!("redis://{}", proxy.address());
                builder = builder.set_of(service, "redis.url", url);
                redis.insert(service, proxy);
            }
        }
        let primary = TcpProxy::to(&servers::address(Server::Primary)).await;
        let builder = builder
            .primary_at(&primary.address().to_string())
            .set("redis.url", environment::redis())
            .set("mysql.max_connections", 16)
            // The API comes back where it was.
            .set("http.listen", format!("127.0.0.1:{}", free_port()));
        let system = settings(builder).start().await;
        Self {
            burst: JoinSet::new(),
            system,
            primary,
            redis,
            partition: None,
        }
    }

    /// Lets many read at once, again and again.
    pub fn begin_burst(&mut self) {
        for _ in 0..BURST {
            let client = self.system.client();
            self.burst.spawn(async move {
                loop {
                    client.feed(&[]).await;
                }
            });
        }
    }

    /// They go.
    pub async fn end_burst(&mut self) {
        self.burst.shutdown().await;
    }

    /// The primary's address leads to this server from now on; connections that are open stay where they are.
    pub fn set_primary(&self, server: Server) {
        self.primary.set_target(&servers::address(server));
    }

    /// Lets every answer of Redis come so much later.
    pub fn delay_redis(&self, delay: Duration) {
        for proxy in self.redis.values() {
            proxy.delay(delay);
        }
    }

    /// Nothing of this service reaches Redis any more.
    pub fn cut_from_redis(&self, service: &str) {
        self.redis[service].shut();
    }

    /// Ends that.
    pub fn reconnect_redis(&self, service: &str) {
        self.redis[service].open();
    }

    /// Cuts the partition: nothing gets through any more.
    pub async fn partition(&self) {
        let partition = self.partition.as_ref();
        partition.expect("a partition to cut").cut().await;
    }

    /// Everything gets through again.
    pub async fn heal(&self) {
        let partition = self.partition.as_ref();
        partition.expect("a partition to heal").heal().await;
    }

    /// Ends it; what went on can be read up where something was wrong.
    pub fn end(self, report: Report) -> Report {
        if !report.is_good() {
            eprintln!("{:#?}", self.system.keep_logs());
        }
        report
    }

    /// Starts another process in the place of one, and waits until it can be found.
    pub async fn replace(&mut self, service: &str, instance: usize) {
        self.system.replace_instance(service, instance).await;
        if service == "api" {
            return;
        }
        let process = &self.system.instances(service)[instance];
        let address = process.address().await.to_string();
        let what = format!("{service} registered");
        eventually(REGISTERED_LIMIT, &what, async || {
            let known = self.system.registered(service).await;
            known.contains(&address).then_some(())
        })
        .await;
    }
}
