//! A test system whose servers can each be taken away.

use std::collections::BTreeMap;

use testkit::{Client, Process, System, TcpProxy};

use crate::system_builder;

/// Two instances of each.
pub const SERVICES: [&str; 4] = ["user", "video", "favorite", "comment"];

/// Everything that can be away, each behind a proxy or a process of this test's own.
pub struct Faulty {
    // Ended before what they use.
    pub processes: BTreeMap<&'static str, Vec<Process>>,
    pub api: Client,
    pub primary: TcpProxy,
    pub replica: TcpProxy,
    pub redis: TcpProxy,
    pub store: TcpProxy,
    variables: BTreeMap<String, String>,
    pub system: System,
}

/// The proxy to the server in a URL, and the URL that goes through it.
async fn proxied(url: &str) -> (TcpProxy, String) {
    let after_scheme = url.split_once("://").unwrap().1;
    let place = after_scheme.split('/').next().unwrap();
    let target = place.rsplit('@').next().unwrap();
    let proxy = TcpProxy::to(target).await;
    let through = url.replacen(target, &proxy.address().to_string(), 1);
    (proxy, through)
}

impl Faulty {
    pub async fn start() -> Self {
        let builder = SERVICES
            .iter()
            .chain(&["api"])
            .fold(system_builder(), |b, name| b.instances(name, 0));
        // The checks of /readyz have 1 s each; the load of other tests could exceed that.
        let system = builder.own_etcd().alone().start().await;
        let mut variables = system.variables().clone();
        let mut through = async |variable: &str| {
            let (proxy, url) = proxied(&variables[variable]).await;
            variables.insert(variable.to_owned(), url);
            proxy
        };
        let primary = through("DOUSHENG_MYSQL__PRIMARY_URL").await;
        let replica = through("DOUSHENG_MYSQL__REPLICA_URLS").await;
        let redis = through("DOUSHENG_REDIS__URL").await;
        let store = through("DOUSHENG_OBJECT_STORE__ENDPOINT").await;
        let mut processes = BTreeMap::new();
        for service in SERVICES {
            let start = |_| Process::workspace_binary(service, &variables);
            processes.insert(service, (0..2).map(start).collect());
        }
        let api = Process::workspace_binary("api", &variables);
        let client = Client::new(&format!("http://{}", api.address().await));
        processes.insert("api", vec![api]);
        Self {
            processes,
            api: client,
            primary,
            replica,
            redis,
            store,
            variables,
            system,
        }
    }

    pub fn kill(&mut self, service: &'static str) {
        for process in self.processes.remove(service).unwrap() {
            process.kill9();
        }
    }

    pub fn start_again(&mut self, service: &'static str) {
        let start = |_| Process::workspace_binary(service, &self.variables);
        self.processes.insert(service, (0..2).map(start).collect());
    }
}
