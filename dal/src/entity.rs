//! The sea-orm entities of the tables. The migration that adds a column says what it means.

pub(crate) mod user {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub password_hash: String,
        pub avatar: String,
        pub background_image: String,
        pub signature: String,
        pub created_at: DateTimeUtc,
        pub token_epoch: i64,
        pub state: i8,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod video {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "videos")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub author_id: i64,
        pub title: String,
        pub object_key: String,
        pub cover_key: String,
        pub size_bytes: i64,
        pub sha256: String,
        pub duration_ms: i64,
        pub width: i32,
        pub height: i32,
        pub published_ms: Option<i64>,
        pub state: i8,
        pub progress: i8,
        pub reason: String,
        pub created_ms: i64,
        pub original_key: Option<String>,
        pub has_small_cover: bool,
        pub bit_rate: i32,
        pub small_height: i32,
        pub small_bit_rate: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod upload {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "uploads")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub object_key: String,
        pub upload_id: Option<String>,
        pub author_id: i64,
        pub aborting: bool,
        pub created_at: DateTimeUtc,
        pub video_id: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod idempotency_key {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub idempotency_key: String,
        pub fingerprint: String,
        pub result_id: i64,
        pub created_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod favorite {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "favorites")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub video_id: i64,
        pub author_id: i64,
        pub liked_us: i64,
        pub batch: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod comment {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "comments")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub video_id: i64,
        pub user_id: i64,
        pub content: String,
        pub created_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod follow {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "follows")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub user_id: i64,
        pub followed_id: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
