//! The whole of Dousheng for one test: the real programs, with a database, a bucket and a registry prefix of their own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use auth::Tokens;
use settings::Secret;

use crate::{
    Bucket, Client, Database, Etcd, Process, Redis, database::with_address, environment,
    eventually, headroom::Headroom, names,
};

/// How long it may take until the first request is answered.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// `auth.jwt_keys` of every test system.
pub const JWT_KEYS: &str = "test:a-secret-for-tests-only-32-bytes-or-more";
/// `rpc.secret` of every test system.
pub const RPC_SECRET: &str = "a-secret-of-calls-for-tests-only-32-bytes-or-more";
/// The highest limit that the settings take, per minute.
const UNLIMITED: &str = "1000000";
/// How often the counts of a test system are folded.
pub const FOLD_PERIOD: Duration = Duration::from_secs(1);

/// What to start; begin with [`System::builder`].
#[derive(Debug)]
pub struct Builder {
    instances: BTreeMap<String, usize>,
    settings: BTreeMap<String, String>,
    /// By service.
    settings_of: BTreeMap<String, BTreeMap<String, String>>,
    files: BTreeMap<String, u32>,
    own_etcd: bool,
    own_redis: bool,
    primary: Option<String>,
    programs: Option<PathBuf>,
    database: Option<Database>,
    alone: bool,
}

/// Ended and removed, all of it, when the value goes.
#[derive(Debug)]
pub struct System {
    // The order of fields is the order of drops: processes before what they use.
    processes: BTreeMap<String, Vec<Process>>,
    etcd: Option<Etcd>,
    redis: Option<Redis>,
    database: Database,
    bucket: Bucket,
    variables: BTreeMap<String, String>,
    variables_of: BTreeMap<String, BTreeMap<String, String>>,
    programs: Option<PathBuf>,
    http: Option<String>,
    _headroom: Headroom,
}

impl System {
    /// One instance of each service and of the API.
    pub fn builder() -> Builder {
        Builder {
            instances: [
                "user", "video", "favorite", "comment", "relation", "message", "api",
            ]
            .map(|name| (name.to_owned(), 1))
            .into(),
            settings: BTreeMap::new(),
            settings_of: BTreeMap::new(),
            files: BTreeMap::new(),
            own_etcd: false,
            own_redis: false,
            primary: None,
            programs: None,
            database: None,
            alone: false,
        }
    }

    /// [`System::builder`] as it is, started.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Base address of the API, without a slash at the end.
    pub fn http(&self) -> &str {
        self.http.as_deref().expect("a system with an API")
    }

    /// A new client of the API.
    pub fn client(&self) -> Client {
        Client::new(self.http())
    }

    /// The processes of a service, in the order of their start.
    pub fn instances(&self, service: &str) -> &[Process] {
        self.processes.get(service).map_or(&[], Vec::as_slice)
    }

    /// The API's process.
    pub fn api(&self) -> &Process {
        &self.instances("api")[0]
    }

    /// One more instance of a service; it may not be registered yet when this returns.
    pub async fn start_instance(&mut self, service: &str) {
        let process = self.start_process(service);
        process.address().await;
        self.processes
            .entry(service.to_owned())
            .or_default()
            .push(process);
    }

    /// Kills the service's instance number `n` (from 0), if it still runs, and starts another in its place; it may not be
    /// registered yet when this returns.
    pub async fn replace_instance(&mut self, service: &str, n: usize) {
        self.instances(service)[n].kill9();
        let process = self.start_process(service);
        process.address().await;
        let place = self
            .processes
            .get_mut(service)
            .and_then(|all| all.get_mut(n));
        *place.expect("the instance") = process;
    }

    /// Addresses that a service is registered under.
    pub async fn registered(&self, service: &str) -> Vec<String> {
        let endpoints = &self.variables[&variable("etcd.endpoints")];
        let prefix = format!("{}/{service}/", self.variables[&variable("etcd.prefix")]);
        let endpoints: Vec<_> = endpoints.split(',').collect();
        let keys = crate::etcd::keys(&endpoints, &prefix).await;
        keys.iter()
            .map(|key| key.trim_start_matches(&prefix).to_owned())
            .collect()
    }

    /// Prints the last lines of every process.
    pub fn print_logs(&self) {
        for process in self.processes.values().flatten() {
            eprintln!("{}", process.tail());
        }
    }

    /// Leaves the logs of all processes where they are, for a day; says where.
    pub fn keep_logs(&self) -> Vec<&Path> {
        let processes = self.processes.values().flatten();
        processes.map(Process::keep_log).collect()
    }

    /// Its database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Its bucket.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Its own etcd, if [`Builder::own_etcd`] asked for one.
    pub fn etcd(&self) -> &Etcd {
        self.etcd.as_ref().expect("a system built with own_etcd()")
    }

    /// Its own Redis, if [`Builder::own_redis`] asked for one.
    pub fn redis(&self) -> &Redis {
        self.redis
            .as_ref()
            .expect("a system built with own_redis()")
    }

    fn start_process(&self, service: &str) -> Process {
        let variables = self.variables_of(service);
        start_program(self.programs.as_deref(), service, &variables)
    }

    /// As [`Self::variables`], with those of this service alone.
    fn variables_of(&self, service: &str) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        variables.extend(self.variables_of.get(service).cloned().unwrap_or_default());
        variables
    }

    /// The `DOUSHENG_*` variables that its processes run with.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }
}

impl Builder {
    /// How many processes of a service to start; 0: none.
    pub fn instances(mut self, service: &str, count: usize) -> Self {
        self.instances.insert(service.to_owned(), count);
        self
    }

    /// A setting by its key in `defaults.toml`, for example `upload.max_bytes`.
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.insert(variable(key), value.to_string());
        self
    }

    /// A setting that the processes of this service alone have.
    pub fn set_of(mut self, service: &str, key: &str, value: impl ToString) -> Self {
        let of_service = self.settings_of.entry(service.to_owned()).or_default();
        of_service.insert(variable(key), value.to_string());
        self
    }

    /// Lets each process of a service open no more than `files` files and sockets.
    pub fn limit_files(mut self, service: &str, files: u32) -> Self {
        self.files.insert(service.to_owned(), files);
        self
    }

    /// Gives the system an etcd of its own, to be stopped and brought back.
    pub fn own_etcd(mut self) -> Self {
        self.own_etcd = true;
        self
    }

    /// Gives the system a Redis of its own, to be stopped, emptied and brought back.
    pub fn own_redis(mut self) -> Self {
        self.own_redis = true;
        self
    }

    /// Where the services find the primary, host:port: a proxy whose target the test can change.
    pub fn primary_at(mut self, address: &str) -> Self {
        self.primary = Some(address.to_owned());
        self
    }

    /// Runs the programs in `directory` instead of this build's: another version of them, for a comparison.
    pub fn programs(mut self, directory: &Path) -> Self {
        self.programs = Some(directory.to_owned());
        self
    }

    /// Runs on `database` instead of an empty one.
    pub fn database(mut self, database: Database) -> Self {
        self.database = Some(database);
        self
    }

    /// No other test starts a system before this one has ended, and this one starts when all others have: for a test of deadlines,
    /// which the load of other tests would exceed.
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Waits for headroom, migrates, starts everything, and returns when requests are answered.
    pub async fn start(self) -> System {
        let headroom = match self.alone {
            true => Headroom::alone().await,
            false => Headroom::for_system().await,
        };
        let own_etcd = async {
            match self.own_etcd {
                true => Some(Etcd::start().await),
                false => None,
            }
        };
        let own_redis = async {
            match self.own_redis {
                true => Some(Redis::start().await),
                false => None,
            }
        };
        let database = async {
            match self.database {
                Some(database) => database,
                None => Database::create().await,
            }
        };
        let (database, bucket, etcd, redis) =
            tokio::join!(database, Bucket::create(), own_etcd, own_redis);
        let mut variables = defaults(&database, &bucket, etcd.as_ref(), redis.as_ref());
        if let Some(address) = self.primary {
            let url = with_address(&database.service_url(), &address);
            variables.insert(variable("mysql.primary_url"), url);
        }
        variables.extend(self.settings);
        // Only this process is told of the account that changes tables.
        let mut for_migrate = variables.clone();
        for_migrate
            .entry(variable("mysql.migrate_url"))
            .or_insert_with(|| database.migrate_url());
        let programs = self.programs.as_deref();
        start_program(programs, "migrate", &for_migrate)
            .succeeded()
            .await;

        let mut processes: BTreeMap<String, Vec<Process>> = BTreeMap::new();
        for (service, count) in self.instances {
            let mut variables = variables.clone();
            variables.extend(self.settings_of.get(&service).cloned().unwrap_or_default());
            let start = |_| match self.files.get(&service) {
                Some(files) => Process::with_few_files(&service, &variables, *files),
                None => start_program(programs, &service, &variables),
            };
            let started = (0..count).map(start).collect();
            processes.insert(service, started);
        }
        let mut http = None;
        for (service, started) in &processes {
            for process in started {
                let address = process.address().await;
                if service == "api" {
                    http = Some(format!("http://{address}"));
                }
            }
        }
        let system = System {
            processes,
            etcd,
            redis,
            database,
            bucket,
            variables,
            variables_of: self.settings_of,
            programs: self.programs,
            http,
            _headroom: headroom,
        };
        if system.http.is_some() {
            system.ready().await;
        }
        system
    }
}

impl System {
    /// The API has found the services, and they each other and their tables, on the replica too.
    async fn ready(&self) {
        let client = self.client();
        let runs = |service: &str| !self.instances(service).is_empty();
        let token = token_of(READY_USER, READY_LIMIT);
        // Each is asked until it has answered once: a system with limits of its own lets nobody ask for ever.
        let (mut feed, mut user) = (!runs("video"), !runs("user"));
        // Whose tables are on servers of the test's own says itself what it has found.
        let has_own_tables = self.variables.contains_key(&variable("mysql.migrate_url"));
        if has_own_tables {
            self.wait_until_up().await;
        }
        // They write, for which the user must be there.
        let writes =
            |service: &str| !has_own_tables && runs(service) && runs("video") && runs("user");
        let (mut favorite, mut comment) = (!writes("favorite"), !writes("comment"));
        let (mut relation, mut message) = (!writes("relation"), !writes("message"));
        if !has_own_tables {
            self.database.execute(ADD_READY_USER).await;
        }
        eventually(READY_LIMIT, "the first answers of the system", async || {
            feed = feed || client.feed(&[]).await.try_code() == Some(0);
            // No such user: 10004 comes from the user service, and only from there.
            user = user || client.login("nobody", "nobody").await.try_code() == Some(10004);
            // No such video: 10007 comes from these services, which have it from the video service.
            favorite = favorite || client.unlike(&token, NO_VIDEO).await.try_code() == Some(10007);
            comment = comment
                || client.delete_comment(&token, NO_VIDEO, 1).await.try_code() == Some(10007);
            // No such user: 10006 comes from these, which have it from the user service.
            relation = relation || client.unfollow(&token, NOBODY).await.try_code() == Some(10006);
            message =
                message || client.send_message(&token, NOBODY, "?").await.try_code() == Some(10006);
            (feed && user && favorite && comment && relation && message).then_some(())
        })
        .await;
        if !has_own_tables {
            for undo in REMOVE_READY_USER {
                self.database.execute(undo).await;
            }
        }
    }

    async fn wait_until_up(&self) {
        for api in self.instances("api") {
            let admin = Client::new(&format!("http://{}", api.admin_address().await));
            eventually(READY_LIMIT, "a system that is up", async || {
                let report = admin.get("/readyz", &[]).await.body;
                (report["state"] == "up").then_some(())
            })
            .await;
        }
    }
}

/// A user who is there until the system is ready. Tests make users of their own, from 1 up: whose id this is, the API would remember.
const READY_USER: i64 = 4_000_000_000;
/// A database that is there already may have any smaller one.
const NO_VIDEO: i64 = 4_000_000_000;
/// A user who is never there.
const NOBODY: i64 = 4_000_000_001;
const ADD_READY_USER: &str =
    "INSERT INTO users (id, name, password_hash) VALUES (4000000000, 'ready?', '-')";
const REMOVE_READY_USER: [&str; 2] = [
    "DELETE FROM users WHERE id = 4000000000",
    "ALTER TABLE users AUTO_INCREMENT = 1",
];

/// A program of this workspace, from `directory` if there is one, or else from this build.
fn start_program(
    directory: Option<&Path>,
    name: &str,
    variables: &BTreeMap<String, String>,
) -> Process {
    let Some(directory) = directory else {
        return Process::workspace_binary(name, variables);
    };
    let mut command = Command::new(directory.join(name));
    command.envs(variables);
    Process::spawn(name, command)
}

/// A token of this user in every test system, where the user needn't be to read; good for `ttl` and the leeway of 5 s.
pub fn token_of(user_id: i64, ttl: Duration) -> String {
    let (kid, secret) = JWT_KEYS.split_once(':').expect("kid:secret");
    let keys = vec![(kid.to_owned(), Secret::new(secret))];
    let tokens = Tokens::new(keys, "dousheng", "dousheng-client", ttl);
    let tokens = tokens.expect("a signing key");
    tokens.issue(user_id, None).expect("a token")
}

fn variable(key: &str) -> String {
    format!("DOUSHENG_{}", key.replace('.', "__").to_uppercase())
}

fn defaults(
    database: &Database,
    bucket: &Bucket,
    etcd: Option<&Etcd>,
    redis: Option<&Redis>,
) -> BTreeMap<String, String> {
    let etcd = etcd.map_or_else(environment::etcd, Etcd::endpoint);
    let redis = redis.map_or_else(environment::redis, Redis::url);
    let key_prefix = format!("{}:", names::unique('-'));
    let fold_period_ms = FOLD_PERIOD.as_millis().to_string();
    let (service_url, read_urls) = (database.service_url(), database.read_urls().join(","));
    let prefix = format!("kitex/registry-etcd-{}", names::unique('-'));
    let (s3, access, secret) = (
        environment::s3_endpoint(),
        environment::s3_access_key(),
        environment::s3_secret_key(),
    );
    [
        // Each process may do what it may do in earnest, and no more.
        ("mysql.primary_url", service_url.as_str()),
        ("mysql.replica_urls", &read_urls),
        // Many systems run at once, and the server takes 300 connections.
        ("mysql.max_connections", "4"),
        ("mysql.max_fallback_connections", "2"),
        ("redis.url", &redis),
        ("redis.key_prefix", &key_prefix),
        // Nobody takes the keys away from a Redis that tests share.
        ("redis.counter_ttl_s", "600"),
        ("counters.fold_period_ms", &fold_period_ms),
        ("etcd.endpoints", &etcd),
        ("etcd.prefix", &prefix),
        ("etcd.lease_ttl_s", "3"),
        ("object_store.endpoint", &s3),
        ("object_store.public_endpoint", &s3),
        ("object_store.bucket", bucket.name()),
        ("object_store.access_key", &access),
        ("object_store.secret_key", &secret),
        ("rpc.secret", RPC_SECRET),
        ("auth.jwt_keys", JWT_KEYS),
        ("auth.bcrypt_cost", "4"),
        // Tests come from one address, as fast as they can; those of the limits set their own.
        ("limits.login_per_address", UNLIMITED),
        ("limits.login_per_name", UNLIMITED),
        ("limits.register_per_address", UNLIMITED),
        ("limits.publish_per_address", UNLIMITED),
        ("limits.publish_per_user", UNLIMITED),
        ("limits.write_per_user", UNLIMITED),
        ("limits.message_per_user", UNLIMITED),
        ("limits.request_per_address", UNLIMITED),
        ("limits.request_per_user", UNLIMITED),
        // However busy the machine is, what every browser plays is ready when it is published.
        ("media.remux_always_bytes", "1073741824"),
        ("transcoder.threads", "1"),
        ("transcoder.poll_ms", "100"),
        ("http.listen", "127.0.0.1:0"),
        ("log.format", "json"),
        ("log.filter", "info"),
    ]
    .map(|(key, value)| (variable(key), value.to_owned()))
    .into()
}
