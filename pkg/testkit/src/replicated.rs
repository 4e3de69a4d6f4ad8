//! A primary and its replicas for one test, which may delay them, kill them and switch their roles.
//!
//! Futures are `boxed`, for the reason given in `bucket.rs`.

use std::{
    path::PathBuf,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use sea_orm::TryGetable;
use tempfile::TempDir;

use crate::{
    Process,
    database::{run, try_connect, value},
    engine::Engine,
    eventually,
    own_server::{START_LIMIT, home, install, logged, spawn, start},
};

/// How long replicas may take to have what the primary has.
const CAUGHT_UP_LIMIT: Duration = Duration::from_secs(60);
/// The database that the accounts are for.
const DATABASE: &str = "dt_own";

/// `admin` may do everything, read-only or not; `app` may do everything in the database, but not where a server is read-only.
fn accounts(engine: &Engine) -> Vec<String> {
    let sees_replication = engine.sees_replication();
    vec![
        "CREATE USER IF NOT EXISTS 'admin'@'127.0.0.1' IDENTIFIED BY 'admin';".to_owned(),
        "GRANT ALL PRIVILEGES ON *.* TO 'admin'@'127.0.0.1' WITH GRANT OPTION;".to_owned(),
        "CREATE USER IF NOT EXISTS 'app'@'127.0.0.1' IDENTIFIED BY 'app';".to_owned(),
        format!("GRANT ALL PRIVILEGES ON {DATABASE}.* TO 'app'@'127.0.0.1';"),
        format!("GRANT {sees_replication} ON *.* TO 'app'@'127.0.0.1';"),
        format!(
            "CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;"
        ),
    ]
}

/// Servers by number; 0 is the primary at first. Ended, and their data removed, when the value goes.
#[derive(Debug)]
pub struct Replicated {
    engine: Engine,
    servers: Vec<Server>,
    home: TempDir,
}

#[derive(Debug)]
struct Server {
    process: Mutex<Process>,
    port: u16,
}

impl Replicated {
    /// A primary and so many replicas, with an empty database; all have the same when this returns.
    pub async fn start(replicas: usize) -> Self {
        let engine = Engine::of_tests();
        // Servers start on copies of one directory: what is in it is in no binary log.
        let (home, template) = home();
        install(&engine, &template, &accounts(&engine));
        let mut all = Self {
            engine,
            servers: Vec::new(),
            home,
        };
        for number in 0..=replicas {
            all.start_one(number, &template).await;
        }
        std::fs::remove_dir_all(template).expect("remove the template");
        for number in 1..=replicas {
            all.follow(number, 0).await;
        }
        all
    }

    /// "127.0.0.1:port"; stays the same over restarts.
    pub fn address(&self, number: usize) -> String {
        format!("127.0.0.1:{}", self.servers[number].port)
    }

    /// The database as the services see it on this server.
    pub fn url(&self, number: usize) -> String {
        Self::url_at(&self.address(number))
    }

    /// The same behind a proxy.
    pub fn url_at(address: &str) -> String {
        format!("mysql://app:app@{address}/{DATABASE}")
    }

    fn admin(&self, number: usize) -> String {
        format!("mysql://admin:admin@{}/{DATABASE}", self.address(number))
    }

    /// Runs a statement that may do everything.
    pub async fn execute(&self, number: usize, sql: &str) {
        run(&self.admin(number), sql).boxed().await;
    }

    /// First column of the first row.
    pub async fn value<T: TryGetable + Send>(&self, number: usize, sql: &str) -> T {
        value(&self.admin(number), sql).boxed().await
    }

    /// Lets a replica apply what it gets so much later; zero ends it.
    pub async fn delay(&self, number: usize, seconds: u32) {
        let sql = self.engine.delay(seconds.into());
        self.execute(number, &sql).await;
    }

    /// SIGKILL.
    pub fn kill(&self, number: usize) {
        self.process(number).kill9();
    }

    /// Brings it back with its data; kills it first if it runs. Answers when this returns.
    pub async fn restart(&self, number: usize) {
        self.kill(number);
        let server = &self.servers[number];
        *self.process(number) = spawn(
            &self.engine,
            &self.data(number),
            server.port,
            &logged(&self.engine, number + 1),
        );
        self.answers(number).await;
    }

    /// A switchover: `to` takes the place of `from`, which lives on, read-only.
    pub async fn switch(&self, from: usize, to: usize) {
        self.execute(from, "SET GLOBAL read_only = 1").await;
        self.caught_up(from, to).await;
        self.execute(to, self.engine.promote()).await;
    }

    /// Waits until `replica` has everything that `primary` has now.
    pub async fn caught_up(&self, primary: usize, replica: usize) {
        let position = format!("SELECT {}", self.engine.position());
        let position: String = self.value(primary, &position).await;
        let wait = self.engine.wait(&position, CAUGHT_UP_LIMIT.as_secs());
        let outcome: i64 = self.value(replica, &wait).await;
        assert_eq!(outcome, 0, "a replica did not reach {position}");
    }

    async fn follow(&self, replica: usize, primary: usize) {
        let port = self.servers[primary].port;
        let sql = format!(
            "SET GLOBAL read_only = 1; {}",
            self.engine.follow(port, "admin", "admin")
        );
        self.execute(replica, &sql).await;
        let what = "a replica that follows";
        eventually(START_LIMIT, what, async || {
            let waits: i64 = self.value(replica, self.engine.receives()).await;
            (waits > 0).then_some(())
        })
        .await;
    }

    async fn start_one(&mut self, number: usize, template: &std::path::Path) {
        let data = self.data(number);
        let copied = Command::new("cp")
            .arg("-a")
            .args([template, &data])
            .status();
        assert!(copied.is_ok_and(|status| status.success()), "copy the data");
        // Else the copies would take each other for themselves.
        let _ = std::fs::remove_file(data.join("auto.cnf"));
        let options = logged(&self.engine, number + 1);
        let url = |port| format!("mysql://admin:admin@127.0.0.1:{port}/{DATABASE}");
        let (process, port) = start(&self.engine, &data, &options, url).await;
        self.servers.push(Server {
            process: Mutex::new(process),
            port,
        });
    }

    fn data(&self, number: usize) -> PathBuf {
        self.home.path().join(number.to_string())
    }

    async fn answers(&self, number: usize) {
        let what = format!("database server {number} of the test");
        eventually(START_LIMIT, &what, async || {
            try_connect(&self.admin(number)).boxed().await.ok()
        })
        .await;
    }

    fn process(&self, number: usize) -> MutexGuard<'_, Process> {
        let process = self.servers[number].process.lock();
        process.unwrap_or_else(PoisonError::into_inner)
    }
}
