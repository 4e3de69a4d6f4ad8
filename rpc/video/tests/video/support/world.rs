//! A service with a database and a bucket of its own, and the requests that tests send it.

use std::net::SocketAddr;

use dal::{Db, Marks, counters::Counters};
use idl::{
    base::Code,
    video::{
        AbortUploadRequest, BeginUploadRequest, BeginUploadResponse, Container, FeedRequest,
        ListByAuthorRequest, PublishRequest, PublishResponse, UploadKind, Video, VideoService as _,
    },
};
use rpc_video::{Reaped, Reaper, Transcoder, VideoService, media::Media};
use settings::{Secret, Settings};
use storage::Store;
use testkit::{Bucket, Database, environment, media as files};
use volo_thrift::ServerError;

pub const AUTHOR: i64 = 7;
pub const STRANGER: i64 = 8;

/// A service with a database and a bucket of its own.
pub struct World {
    pub settings: Settings,
    pub database: Database,
    pub bucket: Bucket,
    pub store: Store,
    pub service: VideoService,
}

impl World {
    pub async fn set_up() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let (database, bucket) = tokio::join!(Database::create(), Bucket::create());
        let mut settings = Settings::load().unwrap();
        settings.mysql.primary_url = Secret::new(database.service_url());
        settings.mysql.replica_urls = database.read_urls().into_iter().map(Secret::new).collect();
        settings.mysql.migrate_url = Secret::new(database.migrate_url());
        settings.mysql.max_connections = 4;
        settings.mysql.max_fallback_connections = 2;
        settings.object_store.endpoint = environment::s3_endpoint();
        settings.object_store.public_endpoint = environment::s3_endpoint();
        settings.object_store.bucket = bucket.name().to_owned();
        settings.object_store.access_key = Secret::new(environment::s3_access_key());
        settings.object_store.secret_key = Secret::new(environment::s3_secret_key());
        change(&mut settings);
        dal::migrate(&settings.mysql).await.unwrap();
        database.replicas_caught_up().await;
        Self {
            store: Store::new(&settings.object_store).unwrap(),
            service: service(&settings),
            settings,
            database,
            bucket,
        }
    }

    /// A service beside the first, which reaches the object store by another address.
    pub fn service_by(&self, endpoint: String) -> VideoService {
        let mut settings = self.settings.clone();
        settings.object_store.endpoint = endpoint;
        service(&settings)
    }

    /// A service beside the first, which reaches the primary by another address.
    pub fn service_with_primary(&self, address: SocketAddr) -> VideoService {
        let mut settings = self.settings.clone();
        let url = self
            .database
            .service_url()
            .replace(&self.primary(), &address.to_string());
        // Who listens to the statements can't by TLS. MySQL lets the account in without, because it came by TLS before, for the upload.
        let url = format!("{url}?ssl-mode=DISABLED");
        settings.mysql.primary_url = Secret::new(url);
        service(&settings)
    }

    /// A service beside the first, which sets marks.
    pub fn service_with_marks(&self) -> VideoService {
        let marks = Marks::connect(&self.settings.redis, &self.settings.mysql).unwrap();
        let db = Db::connect(&self.settings.mysql).unwrap().with_marks(marks);
        service_on(db, &self.settings)
    }

    /// A transcoder over this database and store.
    pub fn transcoder(&self) -> Transcoder {
        let db = Db::connect(&self.settings.mysql).unwrap();
        let counters = Counters::connect(&self.settings.redis, db.clone()).unwrap();
        let store = Store::new(&self.settings.object_store).unwrap();
        Transcoder::new(db, counters, store, &self.settings)
    }

    /// Works on the next job; whether there was one.
    pub async fn work(&self) -> bool {
        let (_stop, mut stopped) = tokio::sync::watch::channel(false);
        self.transcoder().work(&mut stopped).await
    }

    /// The works as everybody but their author sees them.
    pub async fn works_for_others(&self) -> Vec<Video> {
        let request = ListByAuthorRequest {
            author_id: AUTHOR,
            before: None,
            limit: 300,
            is_own: None,
        };
        self.service.list_by_author(request).await.unwrap().videos
    }

    /// Where the primary is, "host:port".
    pub fn primary(&self) -> String {
        let url = self.database.primary_url();
        let (_, rest) = url.rsplit_once('@').unwrap();
        rest.split_once('/').unwrap().0.to_owned()
    }

    /// A reaper of what is older than `age_s`, over the store at `endpoint`.
    pub fn reaper_by(&self, endpoint: String, age_s: u64) -> Reaper {
        let mut store = self.settings.object_store.clone();
        store.endpoint = endpoint;
        self.reaper(&store, age_s, 0)
    }

    /// A reaper over this store that removes what no row has known for so long.
    pub fn reaper(&self, store: &settings::ObjectStore, age_s: u64, unknown_age_s: u64) -> Reaper {
        let settings = settings::Reaper {
            age_s,
            period_s: 1,
            unknown_age_s,
        };
        let db = Db::connect(&self.settings.mysql).unwrap();
        Reaper::new(db, Store::new(store).unwrap(), &settings)
    }

    /// One pass over everything, however young.
    pub async fn reap(&self) -> Reaped {
        let reaper = self.reaper_by(environment::s3_endpoint(), 0);
        reaper
            .pass()
            .await
            .unwrap()
            .expect("nobody else reaps here")
    }

    pub async fn begin(&self, kind: UploadKind) -> BeginUploadResponse {
        let request = BeginUploadRequest {
            author_id: AUTHOR,
            kind,
            container: Container::MP4,
        };
        self.service.begin_upload(request).await.unwrap()
    }

    /// Begins an upload and stores the file; answers what to publish.
    pub async fn upload(&self, file: Vec<u8>) -> PublishRequest {
        let key = self.begin(UploadKind::SINGLE).await.object_key;
        let request = publish(&key, file.len());
        self.bucket.put(&key, file).await;
        request
    }

    pub async fn published(&self, title: &str) -> PublishResponse {
        let mut request = self.upload(files::mp4()).await;
        request.title = title.to_owned().into();
        self.service.publish(request).await.unwrap()
    }

    pub async fn works(&self) -> Vec<Video> {
        let request = ListByAuthorRequest {
            author_id: AUTHOR,
            before: None,
            limit: 300,
            is_own: Some(true),
        };
        let works = self.service.list_by_author(request).await.unwrap();
        assert!(!works.has_more);
        works.videos
    }

    pub async fn uploads(&self) -> i64 {
        self.database.value("SELECT COUNT(*) FROM uploads").await
    }

    /// No object, no unfinished upload, no row.
    pub async fn assert_nothing_stays(&self, what: &str) {
        assert_eq!(self.bucket.keys().await, [""; 0], "objects: {what}");
        assert_eq!(self.bucket.open_uploads().await, [""; 0], "uploads: {what}");
        assert_eq!(self.uploads().await, 0, "rows of uploads: {what}");
        assert_eq!(self.works().await, [], "videos: {what}");
    }
}

pub fn service(settings: &Settings) -> VideoService {
    service_on(Db::connect(&settings.mysql).unwrap(), settings)
}

fn service_on(db: Db, settings: &Settings) -> VideoService {
    VideoService::new(
        db.clone(),
        Counters::connect(&settings.redis, db).unwrap(),
        Store::new(&settings.object_store).unwrap(),
        Media::new(settings),
        settings,
    )
}

pub fn publish(object_key: &str, size: usize) -> PublishRequest {
    PublishRequest {
        author_id: AUTHOR,
        object_key: object_key.to_owned().into(),
        title: "A walk".into(),
        size_bytes: size as i64,
        sha256: "0".repeat(64).into(),
        idempotency_key: None,
    }
}

pub fn abort(object_key: &str) -> AbortUploadRequest {
    AbortUploadRequest {
        author_id: AUTHOR,
        object_key: object_key.to_owned().into(),
    }
}

pub fn feed(before_ms: Option<i64>, limit: i32) -> FeedRequest {
    FeedRequest { before_ms, limit }
}

/// The code and the words of a refusal.
pub fn refused<T: std::fmt::Debug>(outcome: Result<T, ServerError>) -> (Code, String) {
    match outcome {
        Err(ServerError::Biz(error)) => (idl::code(&error), error.status_message.to_string()),
        other => panic!("expected a business error: {other:?}"),
    }
}

pub fn titles(videos: &[Video]) -> Vec<&str> {
    videos.iter().map(|video| video.title.as_str()).collect()
}
