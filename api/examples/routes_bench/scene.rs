//! The data that is asked for, the same on every side: rows by SQL, because a thousand accounts through the API would take longer
//! than the benchmark. In a large database it lies on top of what is there.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use testkit::{Database, token_of};

/// Videos of a feed page, and what each of the users likes.
pub const FEED: usize = 30;
/// Of the one author whose list is asked for.
pub const WORKS: usize = 30;
/// Under the one video whose list everybody asks for.
pub const HOT_COMMENTS: usize = 130;
/// Under each of many videos.
pub const COLD_COMMENTS: usize = 20;
/// Of the user who likes much; a page of the list.
pub const HEAVY_LIKES: usize = 300;
/// Of each viewer, who also follows the other users.
pub const FRIENDS: usize = 20;
/// Between two friends.
const MESSAGES: usize = 5;
/// Clients at once.
pub const MAX_CLIENTS: usize = 512;
/// Authors, commenters and those whose lists are asked for.
const USERS: usize = 64;
/// Others, who have tokens.
const VIEWERS: usize = 1000;
const COLD_VIDEOS: usize = 300;
const TOKEN_TTL: Duration = Duration::from_secs(24 * 3600);

/// What is remarkable in a large database.
pub struct Grown {
    pub hot_video: i64,
    pub heavy_user: i64,
}

pub struct Scene {
    first_user: i64,
    first_video: i64,
    feed: Vec<i64>,
    tokens: Vec<String>,
    /// Who likes [`HEAVY_LIKES`] videos or more.
    pub heavy_user: i64,
    /// Whether there are follows and messages: not in the database of an older baseline.
    pub is_social: bool,
    /// The time of the newest in every chat.
    pub newest_message: i64,
    turns: Vec<AtomicUsize>,
    like_turns: Vec<AtomicUsize>,
}

impl Scene {
    pub async fn make(database: &Database, grown: Option<Grown>) -> Self {
        let first = async |table: &str| {
            let sql = format!("SELECT COALESCE(MAX(id), 0) + 1 FROM {table}");
            database.value::<i64>(&sql).await
        };
        let (first_user, first_video) = (first("users").await, first("videos").await);
        let id = |first: i64, n: usize| first + i64::try_from(n).unwrap();
        let (viewer, cold, feed) = (
            id(first_user, USERS),
            id(first_video, WORKS),
            id(first_video, WORKS + COLD_VIDEOS),
        );
        // Later than all others, and long ago.
        let newest = "SELECT CAST(GREATEST(COALESCE(MAX(published_ms), 0), (UNIX_TIMESTAMP() - 3600) * 1000) AS SIGNED) + 1 FROM videos";
        let published: i64 = database.value(newest).await;
        let liked = published * 1000;
        let author = format!(
            "IF(n < {WORKS}, {first_user}, {first_user} + 1 + MOD(n, {}))",
            USERS - 1
        );
        let author_of = |video: &str| format!("(SELECT author_id FROM videos WHERE id = {video})");
        let (all_users, all_videos) = (
            numbers(USERS + VIEWERS),
            numbers(WORKS + COLD_VIDEOS + FEED),
        );
        let (of_feed, of_cold) = (
            author_of(&format!("{feed} + n")),
            author_of(&format!("{cold} + n")),
        );
        let is_social: i64 = database
            .value("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'follows'")
            .await;
        let newest_message = id(published, MESSAGES - 1);
        let mut statements = vec![
            format!(
                "INSERT INTO users (id, name, password_hash) \
                 SELECT {first_user} + n, CONCAT('viewer-', {first_user} + n), '-' FROM {all_users}"
            ),
            format!(
                "INSERT INTO videos (id, author_id, title, object_key, cover_key, size_bytes, sha256, duration_ms, \
                 width, height, published_ms) SELECT {first_video} + n, {author}, CONCAT('Film ', {first_video} + n), \
                 CONCAT('videos/00000000-0000-7000-8000-', LPAD({first_video} + n, 12, '0'), '.mp4'), \
                 CONCAT('covers/00000000-0000-7000-8000-', LPAD({first_video} + n, 12, '0'), '.jpg'), \
                 1000000, SHA2({first_video} + n, 256), 15000, 720, 1280, {published} + n FROM {all_videos}"
            ),
            // The users like the feed; one who likes much, the cold videos.
            format!(
                "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) \
                 SELECT {first_user} + u, {feed} + n, {of_feed}, {liked} + n, 0 \
                 FROM {} JOIN (SELECT n AS u FROM {}) AS likers",
                numbers(FEED),
                numbers(USERS),
            ),
            format!(
                "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) \
                 SELECT {viewer}, {cold} + n, {of_cold}, {liked} + n, 0 FROM {}",
                numbers(HEAVY_LIKES),
            ),
        ];
        for (video, videos, comments) in [
            (first_video, 1, HOT_COMMENTS),
            (cold, COLD_VIDEOS, COLD_COMMENTS),
            (feed, FEED, 10),
        ] {
            statements.push(format!(
                "INSERT INTO comments (video_id, user_id, content, created_ms) \
                 SELECT {video} + v, {first_user} + MOD(v + n, {USERS}), CONCAT('Comment number ', n), {published} + n \
                 FROM {} JOIN (SELECT n AS v FROM {}) AS videos ORDER BY v, n",
                numbers(comments),
                numbers(videos),
            ));
        }
        for (kind, table, column, where_from) in [
            (
                1,
                "favorites",
                "video_id",
                format!("video_id >= {first_video}"),
            ),
            (
                2,
                "comments",
                "video_id",
                format!("video_id >= {first_video}"),
            ),
            (
                3,
                "favorites",
                "author_id",
                format!("user_id >= {first_user}"),
            ),
            (
                4,
                "favorites",
                "user_id",
                format!("user_id >= {first_user}"),
            ),
            (5, "videos", "author_id", format!("id >= {first_video}")),
        ] {
            statements.push(format!(
                "INSERT INTO counters (kind, target_id, value, dirty) \
                 SELECT {kind}, {column}, COUNT(*), 0 FROM {table} WHERE {where_from} GROUP BY {column}"
            ));
        }
        if is_social > 0 {
            statements.extend(social(first_user, viewer, published));
        }
        let mut feed: Vec<_> = (0..FEED).map(|n| id(feed, n)).collect();
        if let Some(Grown { hot_video, .. }) = grown {
            // The oldest makes room.
            let newest = id(published, WORKS + COLD_VIDEOS + FEED);
            statements.push(format!(
                "UPDATE videos SET published_ms = {newest} WHERE id = {hot_video}"
            ));
            feed[0] = hot_video;
        }
        for statement in statements {
            database.execute(&statement).await;
        }
        let ids = (0..VIEWERS).map(|n| id(viewer, n));
        let counted = |n| (0..n).map(|_| AtomicUsize::new(0)).collect();
        Self {
            first_user,
            first_video,
            feed,
            tokens: ids.map(|user_id| token_of(user_id, TOKEN_TTL)).collect(),
            heavy_user: grown.map_or(viewer, |grown| grown.heavy_user),
            is_social: is_social > 0,
            newest_message,
            turns: counted(MAX_CLIENTS),
            like_turns: counted(MAX_CLIENTS),
        }
    }

    /// How often this client has asked.
    pub fn turn(&self, client: usize) -> usize {
        self.turns[client].fetch_add(1, Ordering::Relaxed)
    }

    /// How often this client has liked or unliked: by turns.
    pub fn like_turn(&self, client: usize) -> usize {
        self.like_turns[client].fetch_add(1, Ordering::Relaxed)
    }

    /// One of a thousand in the client's turn: id and token.
    pub fn viewer(&self, client: usize, turn: usize) -> (usize, &str) {
        // Neighbours begin apart, so that all are asked for at any number of clients.
        let n = (client * 37 + turn) % VIEWERS;
        (n, &self.tokens[n])
    }

    /// Token of the client's own user.
    pub fn liker(&self, client: usize) -> &str {
        &self.tokens[client]
    }

    /// Not the client's own user.
    pub fn other_viewer(&self, client: usize, turn: usize) -> i64 {
        let n = (client + 1 + (client * 37 + turn) % (VIEWERS - 1)) % VIEWERS;
        self.first_user + i64::try_from(USERS + n).unwrap()
    }

    pub fn user(&self, n: usize) -> i64 {
        self.first_user + i64::try_from(n % USERS).unwrap()
    }

    /// Whose works are asked for.
    pub fn author(&self) -> i64 {
        self.first_user
    }

    /// Whose comments everybody asks for.
    pub fn hot_list(&self) -> i64 {
        self.first_video
    }

    pub fn cold_list(&self, client: usize, turn: usize) -> i64 {
        let n = (client * 37 + turn) % COLD_VIDEOS;
        self.first_video + i64::try_from(WORKS + n).unwrap()
    }

    pub fn feed_video(&self, n: usize) -> i64 {
        self.feed[n % FEED]
    }
}

/// Each viewer follows all users, of whom the first few follow back and have written.
fn social(user: i64, viewer: i64, published: i64) -> Vec<String> {
    let pairs = |users: usize| {
        let (viewers, users) = (numbers(VIEWERS), numbers(users));
        format!(
            "(SELECT n AS v FROM {viewers}) AS viewers JOIN (SELECT n AS u FROM {users}) AS users"
        )
    };
    let (all, few) = (pairs(USERS), pairs(FRIENDS));
    let counted = |kind: i8, column: &str| {
        format!(
            "INSERT INTO counters (kind, target_id, value, dirty) SELECT {kind}, {column}, COUNT(*), 0 FROM follows \
             WHERE {column} >= {user} GROUP BY {column}"
        )
    };
    vec![
        format!(
            "INSERT INTO follows (user_id, followed_id) SELECT {viewer} + v, {user} + u FROM {all}"
        ),
        format!(
            "INSERT INTO follows (user_id, followed_id) SELECT {user} + u, {viewer} + v FROM {few}"
        ),
        format!(
            "INSERT INTO conversations (low_id, high_id, last_ms, message_count) \
             SELECT {user} + u, {viewer} + v, {published} + {MESSAGES} - 1, {MESSAGES} FROM {few}"
        ),
        format!(
            "INSERT INTO messages (low_id, high_id, created_ms, from_id, content) \
             SELECT {user} + u, {viewer} + v, {published} + n, {user} + u, CONCAT('Message number ', n) \
             FROM {few} JOIN {}",
            numbers(MESSAGES)
        ),
        counted(6, "user_id"),
        counted(7, "followed_id"),
    ]
}

/// A table of n from 0 to `count` - 1: its digits joined, no more of them than there must be.
fn numbers(count: usize) -> String {
    let (mut tables, mut sum, mut power) = (Vec::new(), Vec::new(), 1);
    while power < count || tables.is_empty() {
        let highest = ((count - 1) / power).min(9);
        let digits: Vec<_> = (0..=highest).map(|d| format!("SELECT {d} AS d")).collect();
        tables.push(format!("({}) AS d{power}", digits.join(" UNION ALL ")));
        sum.push(format!("{power} * d{power}.d"));
        power *= 10;
    }
    let (sum, tables) = (sum.join(" + "), tables.join(", "));
    format!(
        "(SELECT n FROM (SELECT {sum} AS n FROM {tables}) AS all_of_them WHERE n < {count}) AS numbers"
    )
}
