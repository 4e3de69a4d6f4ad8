//! The user service on the real database: what happens to an account when two requests meet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::time::Duration;

use auth::Passwords;
use dal::{Db, counters::Counters};
use idl::{
    base::Code,
    comment::CommentServiceClientBuilder,
    favorite::FavoriteServiceClientBuilder,
    relation::RelationServiceClientBuilder,
    user::{
        ChangePasswordRequest, DeleteAccountRequest, LoginRequest, RegisterRequest,
        UserService as _,
    },
    video::VideoServiceClientBuilder,
};
use rpc_user::{Deletions, UserService, pictures::Pictures};
use service::Clients;
use settings::{Secret, Settings};
use storage::Store;
use testkit::{Database, eventually};
use volo_thrift::ServerError;

/// By when a request has come to its statement.
const SOON: Duration = Duration::from_secs(30);
const NAME: &str = "bob";
const PASSWORD: &str = "correct horse";

/// A service whose hashes cost little.
async fn service(database: &Database) -> UserService {
    let mut settings = Settings::load().unwrap();
    settings.mysql.primary_url = Secret::new(database.service_url());
    settings.mysql.replica_urls = Vec::new();
    settings.mysql.migrate_url = Secret::new(database.migrate_url());
    dal::migrate(&settings.mysql).await.unwrap();
    let db = Db::connect(&settings.mysql).unwrap();
    let store = Store::new(&settings.object_store).unwrap();
    let clients = Clients::new("user", &settings).await.unwrap();
    UserService::new(
        db.clone(),
        Counters::connect(&settings.redis, db.clone()).unwrap(),
        passwords(4),
        Pictures::new(db.clone(), store, &settings.mysql),
        // Of which none is carried on here.
        Deletions::new(
            db,
            clients.client(VideoServiceClientBuilder::new("video")),
            clients.client(FavoriteServiceClientBuilder::new("favorite")),
            clients.client(CommentServiceClientBuilder::new("comment")),
            clients.client(RelationServiceClientBuilder::new("relation")),
        ),
    )
}

fn passwords(cost: u32) -> Passwords {
    Passwords::new(cost, 1).unwrap()
}

async fn registered(service: &UserService) -> i64 {
    let request = RegisterRequest {
        username: NAME.into(),
        password: PASSWORD.into(),
    };
    service.register(request).await.unwrap().user_id
}

async fn login(service: &UserService, password: &str) -> Result<i64, ServerError> {
    let request = LoginRequest {
        username: NAME.into(),
        password: password.to_owned().into(),
    };
    Ok(service.login(request).await?.user_id)
}

async fn new_password(service: &UserService, user_id: i64) -> Result<(), ServerError> {
    let request = ChangePasswordRequest {
        user_id,
        password: PASSWORD.into(),
        new_password: "battery staple".into(),
    };
    service.change_password(request).await.map(drop)
}

async fn deletion(service: &UserService, user_id: i64) -> Result<(), ServerError> {
    let request = DeleteAccountRequest {
        user_id,
        password: PASSWORD.into(),
    };
    service.delete_account(request).await.map(drop)
}

/// Stores a hash of this password while `change` is under way, after that has checked its own password.
async fn with_new_hash_meanwhile(
    database: &Database,
    password: &str,
    change: impl Future<Output = Result<(), ServerError>>,
) -> Result<(), ServerError> {
    let hash = passwords(5).hash(password).await.unwrap();
    let store = format!("UPDATE users SET password_hash = '{hash}' WHERE name = '{NAME}'");
    let held = database.hold(&store).await;
    let waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'UPDATE users SET%'";
    let store = async {
        eventually(SOON, "the change at its statement", async || {
            (database.value::<i64>(waits).await > 0).then_some(())
        })
        .await;
        held.commit().await;
    };
    tokio::join!(change, store).0
}

fn code<T: std::fmt::Debug>(outcome: Result<T, ServerError>) -> Code {
    match outcome {
        Err(ServerError::Biz(error)) => idl::code(&error),
        other => panic!("expected a business error: {other:?}"),
    }
}

#[tokio::test]
async fn a_login_that_stores_the_hash_of_the_same_password_anew_stops_no_change_of_the_account() {
    let database = Database::create().await;
    let service = service(&database).await;
    let user_id = registered(&service).await;
    let change = new_password(&service, user_id);
    with_new_hash_meanwhile(&database, PASSWORD, change)
        .await
        .unwrap();
    assert_eq!(
        code(login(&service, PASSWORD).await),
        Code::WRONG_NAME_OR_PASSWORD
    );
    assert_eq!(login(&service, "battery staple").await.unwrap(), user_id);

    let database = Database::create().await;
    let service = self::service(&database).await;
    let user_id = registered(&service).await;
    let change = deletion(&service, user_id);
    with_new_hash_meanwhile(&database, PASSWORD, change)
        .await
        .unwrap();
    assert_eq!(
        code(login(&service, PASSWORD).await),
        Code::WRONG_NAME_OR_PASSWORD
    );
}

#[tokio::test]
async fn a_password_that_somebody_else_has_changed_meanwhile_allows_nothing() {
    let database = Database::create().await;
    let service = service(&database).await;
    let user_id = registered(&service).await;
    let theirs = "battery stable";
    let change = new_password(&service, user_id);
    let refused = with_new_hash_meanwhile(&database, theirs, change).await;
    assert_eq!(code(refused), Code::WRONG_NAME_OR_PASSWORD);
    assert_eq!(login(&service, theirs).await.unwrap(), user_id);
}
