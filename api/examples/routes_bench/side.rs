//! One of the systems that are compared: its programs, its database, and how to ask it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    sync::Arc,
    time::Duration,
};

use testkit::{Database, System};

use crate::{
    connection::Connection,
    cost,
    routes::Route,
    scene::{Grown, Scene},
};

/// Until what a start and new data cause is over: a fold, a replica that caught up.
const REST: Duration = Duration::from_secs(3);
/// For a replica to get what minutes of inserts on the primary left.
const CATCH_UP_LIMIT: Duration = Duration::from_mins(20);

pub struct Side {
    pub name: &'static str,
    pub system: System,
    pub address: SocketAddr,
    pub scene: Arc<Scene>,
}

impl Side {
    /// With the settings of an installation where those of the tests differ. `programs`: of another build; `grow`: a scale of the database.
    pub async fn start(name: &'static str, programs: Option<&Path>, grow: Option<&str>) -> Self {
        let mut builder = System::builder()
            .set("mysql.max_connections", 32)
            .set("mysql.max_fallback_connections", 8)
            .set("counters.fold_period_ms", 10_000);
        if let Some(directory) = programs {
            builder = builder.programs(directory);
            // An older build has no such programs.
            for service in ["relation", "message"] {
                if !directory.join(service).exists() {
                    builder = builder.instances(service, 0);
                }
            }
        }
        if let Some(scale) = grow {
            let database = Database::kept(&format!("grown_{}", scale.replace('.', "_"))).await;
            builder = builder.database(database);
        }
        let system = builder.start().await;
        let database = system.database();
        let grown = match grow {
            Some(scale) => Some(grown(database, scale).await),
            None => None,
        };
        let scene = Scene::make(database, grown).await;
        database.replicas_caught_up().await;
        let address: SocketAddr = system
            .http()
            .trim_start_matches("http://")
            .parse()
            .expect("an address");
        assert!(
            address.ip().is_loopback(),
            "only this machine is ever loaded"
        );
        Self {
            name,
            address,
            scene: Arc::new(scene),
            system,
        }
    }

    /// Asks once, and panics unless the answer is whole.
    pub async fn check(&self, route: &Route) {
        let connection = Connection::open(Ipv4Addr::LOCALHOST, self.address).await;
        let (mut connection, mut request) = (connection.unwrap(), Vec::new());
        (route.request)(&self.scene, 0, &mut request);
        let answer = connection.ask(&request).await.unwrap();
        let body = serde_json::from_slice(answer.body).unwrap_or_default();
        assert!(
            answer.is_success() && (route.is_whole)(&body),
            "{}, {}: {:.2000}",
            self.name,
            route.name,
            answer.text()
        );
    }

    /// Waits until nothing is left to do.
    pub async fn rest(&self) {
        self.system.database().replicas_caught_up().await;
        tokio::time::sleep(REST).await;
    }

    /// Resident memory in MiB of each process: now, and the highest so far.
    pub fn memory(&self) -> Vec<(&'static str, f64, f64)> {
        let services = cost::SERVICES.into_iter();
        services
            .flat_map(|name| {
                let instances = self.system.instances(name).iter();
                instances.map(move |process| {
                    let (now, peak) = cost::memory_mib(process);
                    (name, now, peak)
                })
            })
            .collect()
    }
}

/// Grows the database, unless a run before did.
async fn grown(database: &Database, scale: &str) -> Grown {
    let is_empty =
        database.value::<i64>("SELECT COUNT(*) FROM (SELECT 1 FROM videos LIMIT 1) AS some");
    if is_empty.await == 0 {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/grow.sh");
        let status = Command::new(script)
            .env("SCALE", scale)
            .env("DOUSHENG_MYSQL__MIGRATE_URL", database.migrate_url())
            .status()
            .expect("bash");
        assert!(status.success(), "scripts/grow.sh failed");
        database.replicas_caught_up_within(CATCH_UP_LIMIT).await;
    }
    let most_liked = "SELECT target_id FROM counters WHERE kind = 1 ORDER BY value DESC LIMIT 1";
    let likes_most = "SELECT target_id FROM counters WHERE kind = 4 ORDER BY value DESC LIMIT 1";
    Grown {
        hot_video: database.value(most_liked).await,
        heavy_user: database.value(likes_most).await,
    }
}
