//! Accounts: `users` is the truth of who exists and of the hash of their password.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DerivePartialModel, EntityTrait, QueryFilter, QuerySelect, Select,
    sea_query::{Expr, SimpleExpr},
};

use crate::{
    DalError, Db, Reader,
    counts::{Counter, folded},
    db::Read,
    entity::user::{ActiveModel, Column, Entity},
    id_list,
};

/// In `state`.
const SUSPENDED: i8 = 1;
const DELETED: i8 = 2;

/// What others may see of a user; no part of it is secret. The counts are as of the last fold; name and birth never change.
#[derive(Debug, Clone, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct User {
    /// From 1 up.
    pub id: i64,
    /// Unique by exact comparison.
    pub name: String,
    /// Where the object store has it, or empty.
    pub avatar: String,
    /// Where the object store has it, or empty.
    pub background_image: String,
    /// What the user says of themself, or empty.
    pub signature: String,
    /// Likes that the user's videos have received, folded.
    #[sea_orm(from_expr = r#"folded(Counter::UserFavorited, "users.id")"#)]
    pub total_favorited: i64,
    /// Videos that the user likes, folded.
    #[sea_orm(from_expr = r#"folded(Counter::UserFavorites, "users.id")"#)]
    pub favorite_count: i64,
    /// Videos that the user has published, folded.
    #[sea_orm(from_expr = r#"folded(Counter::UserWorks, "users.id")"#)]
    pub work_count: i64,
    /// Users whom the user follows, folded.
    #[sea_orm(from_expr = r#"folded(Counter::UserFollows, "users.id")"#)]
    pub follow_count: i64,
    /// Users who follow the user, folded.
    #[sea_orm(from_expr = r#"folded(Counter::UserFollowers, "users.id")"#)]
    pub follower_count: i64,
    /// When the account was made; UTC, by the primary's clock. With the id it names the account for ever: after a restore an id may
    /// be given once more.
    #[sea_orm(from_expr = "created_ms()")]
    pub created_ms: i64,
    /// Tokens of a lower one have ended.
    pub token_epoch: i64,
}

fn created_ms() -> SimpleExpr {
    Expr::cust("CAST(UNIX_TIMESTAMP(users.created_at) * 1000 AS SIGNED)")
}

/// What decides a login. Has no `Debug`, so that no log shows it.
#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Credentials {
    /// Whose they are.
    #[sea_orm(from_col = "id")]
    pub user_id: i64,
    /// The name as it was registered.
    pub name: String,
    /// As the hash function wrote it.
    pub password_hash: String,
    /// As of the [`User`].
    #[sea_orm(from_expr = "created_ms()")]
    pub created_ms: i64,
    /// As of the [`User`].
    pub token_epoch: i64,
    state: i8,
}

impl Credentials {
    /// Whether an operator has suspended the account.
    pub fn is_suspended(&self) -> bool {
        self.state == SUSPENDED
    }
}

/// Creates a user and returns the id. [`DalError::Duplicate`] when the name is somebody's: the unique key decides, so of two
/// at once one wins. `name` has no white space at its edges (which the key would not tell apart).
pub async fn create(db: &Db, name: &str, password_hash: &str) -> Result<i64, DalError> {
    let row = ActiveModel {
        name: Set(name.to_owned()),
        password_hash: Set(password_hash.to_owned()),
        ..Default::default()
    };
    let inserted = Entity::insert(row).exec(&db.write()).await?;
    Ok(inserted.last_insert_id)
}

/// When the account was made, as of the [`User`]; read on the primary. [`DalError::NotFound`] when there is no such user.
pub async fn created_ms_of(db: &Db, user_id: i64) -> Result<i64, DalError> {
    let created_ms = Entity::find_by_id(user_id)
        .select_only()
        .expr(created_ms())
        .into_tuple()
        .one(&db.read_own_writes())
        .await?;
    created_ms.ok_or(DalError::NotFound)
}

/// The credentials of the user with this id, who isn't deleted. Sees every acknowledged write.
pub async fn credentials_by_id(db: &Db, user_id: i64) -> Result<Option<Credentials>, DalError> {
    let found = with_ids(vec![user_id]).into_partial_model::<Credentials>();
    Ok(found.one(&db.read_own_writes()).await?)
}

/// The credentials of the user with exactly this name, who isn't deleted. Decides a login, so it sees every acknowledged write.
pub async fn credentials_by_name(db: &Db, name: &str) -> Result<Option<Credentials>, DalError> {
    let found = with_name(name)
        .into_partial_model::<Credentials>()
        .one(&db.read_own_writes())
        .await?;
    // The collation ignores trailing spaces; a login must not.
    Ok(found.filter(|known| known.name == name && known.state != DELETED))
}

pub(crate) fn with_name(name: &str) -> Select<Entity> {
    Entity::find().filter(Column::Name.eq(name))
}

/// Replaces the password hash of a user if it is still `verified`; whether it was. So neither a password that was changed meanwhile comes back, nor
/// the hash of a deleted account.
pub async fn replace_password_hash(
    db: &Db,
    user_id: i64,
    verified: &str,
    password_hash: &str,
) -> Result<bool, DalError> {
    let updated = Entity::update_many()
        .set(ActiveModel {
            password_hash: Set(password_hash.to_owned()),
            ..Default::default()
        })
        .filter(Column::Id.eq(user_id))
        .filter(Column::PasswordHash.eq(verified))
        .exec(&db.write())
        .await?;
    Ok(updated.rows_affected > 0)
}

/// The users with these ids, in no particular order; an id that names nobody is left out. One statement; what a replica lacks is
/// asked once more on the primary, so that a row that refers to a user always finds them. Of a profile a replica may have an older
/// version than the reader must see, unless `reader` says so. Who is deleted is left out. No ids, no statement.
pub async fn mget(db: &Db, ids: &[i64], reader: &Reader) -> Result<Vec<User>, DalError> {
    id_list::fetch_all(db, ids, reader, |user: &User| user.id, by_ids).await
}

async fn by_ids(read: Read<'_>, ids: Vec<i64>) -> Result<Vec<User>, DalError> {
    Ok(with_ids(ids).into_partial_model().all(&read).await?)
}

pub(crate) fn with_ids(ids: Vec<i64>) -> Select<Entity> {
    Entity::find()
        .filter(Column::Id.is_in(ids))
        .filter(Column::State.ne(DELETED))
}
