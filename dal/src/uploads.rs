//! Uploads in progress: the table `uploads` lists what the object store may hold although no video refers to it.
//!
//! A row is written before anybody learns the key. It is deleted by the publish, or after the store was cleaned. So whatever a killed process
//! leaves in the store has a row with its age. All reads are on the primary, because they decide what is deleted.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DbBackend, DerivePartialModel, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select, Statement,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    DalError, Db,
    entity::upload::{ActiveModel, Column, Entity},
};

/// An upload that was neither published nor removed.
#[derive(Debug, Clone, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Upload {
    /// Where its bytes go.
    pub object_key: String,
    /// Of the multipart upload, once there is one.
    pub upload_id: Option<String>,
    /// Who uploads.
    pub author_id: i64,
    /// Whether it can no longer be published.
    pub aborting: bool,
}

/// Records an upload. [`DalError::Duplicate`] when the key is known.
pub async fn record(db: &Db, object_key: &str, author_id: i64) -> Result<(), DalError> {
    let row = ActiveModel {
        object_key: Set(object_key.to_owned()),
        author_id: Set(author_id),
        ..Default::default()
    };
    Entity::insert(row)
        .exec_without_returning(&db.write())
        .await?;
    Ok(())
}

/// Records objects that a process of ours is about to make from an upload of this author, in one statement.
pub async fn record_derived(
    db: &Db,
    object_keys: &[String],
    author_id: i64,
) -> Result<(), DalError> {
    let rows = object_keys.iter().map(|key| ActiveModel {
        object_key: Set(key.clone()),
        author_id: Set(author_id),
        ..Default::default()
    });
    Entity::insert_many(rows)
        .exec_without_returning(&db.write())
        .await?;
    Ok(())
}

/// Adds the id of the multipart upload. [`DalError::NotFound`] when the upload isn't recorded.
pub async fn set_upload_id(db: &Db, object_key: &str, upload_id: &str) -> Result<(), DalError> {
    let updated = Entity::update_many()
        .set(ActiveModel {
            upload_id: Set(Some(upload_id.to_owned())),
            ..Default::default()
        })
        .filter(Column::ObjectKey.eq(object_key))
        .exec(&db.write())
        .await?;
    match updated.rows_affected {
        0 => Err(DalError::NotFound),
        _ => Ok(()),
    }
}

/// The upload with this key.
pub async fn find(db: &Db, object_key: &str) -> Result<Option<Upload>, DalError> {
    Ok(Entity::find_by_id(object_key)
        .into_partial_model()
        .one(&db.read_own_writes())
        .await?)
}

/// Claims an upload for removal: from now on it can't be published, and the store may be cleaned; [`remove`] comes last.
/// `None` when it isn't recorded: published, or gone. Idempotent.
pub async fn begin_abort(db: &Db, object_key: &str) -> Result<Option<Upload>, DalError> {
    let claimed = Entity::update_many()
        .set(ActiveModel {
            aborting: Set(true),
            ..Default::default()
        })
        .filter(Column::ObjectKey.eq(object_key))
        .exec(&db.write())
        .await?;
    match claimed.rows_affected {
        0 => Ok(None),
        _ => find(db, object_key).await,
    }
}

/// Forgets an upload of which the store holds nothing any more; whether there was one. Idempotent.
pub async fn remove(db: &Db, object_key: &str) -> Result<bool, DalError> {
    let deleted = Entity::delete_by_id(object_key).exec(&db.write()).await?;
    Ok(deleted.rows_affected > 0)
}

/// What a video replaced, and the store still has: to be removed.
pub(crate) fn replaced_in(video_id: i64) -> Statement {
    Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT object_key FROM uploads WHERE video_id = ?",
        [video_id.into()],
    )
}

pub(crate) fn with_keys(object_keys: Vec<String>) -> Select<Entity> {
    Entity::find()
        .select_only()
        .column(Column::ObjectKey)
        .filter(Column::ObjectKey.is_in(object_keys))
}

/// At most `limit` uploads that began more than `age_ms` ago by the primary's clock, the oldest first.
pub async fn stale(db: &Db, age_ms: i64, limit: u64) -> Result<Vec<Upload>, DalError> {
    Ok(older_than(age_ms, limit)
        .into_partial_model()
        .all(&db.read_own_writes())
        .await?)
}

pub(crate) fn older_than(age_ms: i64, limit: u64) -> Select<Entity> {
    let horizon = Expr::cust_with_values(
        "NOW(3) - INTERVAL ? MICROSECOND",
        [age_ms.saturating_mul(1000)],
    );
    Entity::find()
        .filter(Expr::col(Column::CreatedAt).lt(horizon))
        .order_by_asc(Column::CreatedAt)
        .limit(limit)
}
