//! The contract's objects as JSON. Every field is always sent, also when it is empty or zero.

use idl::favorite::UserCounts;
use serde::Serialize;

/// A user as a viewer sees it.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    id: i64,
    /// The same value again, which one client reads.
    user_id: i64,
    name: String,
    follow_count: i64,
    follower_count: i64,
    is_follow: bool,
    avatar: String,
    background_image: String,
    signature: String,
    total_favorited: i64,
    work_count: i64,
    favorite_count: i64,
}

impl User {
    /// Joins a user with the exact counts; without them, those of the last fold. There are no follows yet.
    pub fn new(user: idl::user::User, exact: Option<&UserCounts>) -> Self {
        Self {
            id: user.id,
            user_id: user.id,
            name: user.name.to_string(),
            follow_count: 0,
            follower_count: 0,
            is_follow: false,
            avatar: user.avatar.to_string(),
            background_image: user.background_image.to_string(),
            signature: user.signature.to_string(),
            total_favorited: exact.map_or(user.total_favorited, |counts| counts.total_favorited),
            work_count: exact.map_or(user.work_count, |counts| counts.work_count),
            favorite_count: exact.map_or(user.favorite_count, |counts| counts.favorite_count),
        }
    }
}

/// A video as a viewer sees it.
#[derive(Debug, Clone, Serialize)]
pub struct Video {
    id: i64,
    author: User,
    play_url: String,
    cover_url: String,
    favorite_count: i64,
    comment_count: i64,
    is_favorite: bool,
    title: String,
    /// UTC milliseconds; an addition of ours.
    create_time: i64,
}

impl Video {
    /// Joins a video with its author and what viewers made of it.
    pub fn new(
        video: idl::video::Video,
        author: User,
        favorite_count: i64,
        comment_count: i64,
        is_favorite: bool,
    ) -> Self {
        Self {
            id: video.id,
            author,
            play_url: video.play_url.to_string(),
            cover_url: video.cover_url.to_string(),
            favorite_count,
            comment_count,
            is_favorite,
            title: video.title.to_string(),
            create_time: video.published_ms,
        }
    }
}

/// A comment as a viewer sees it.
#[derive(Debug, Clone, Serialize)]
pub struct Comment {
    id: i64,
    user: User,
    content: String,
    /// "mm-dd" in the time zone of the settings.
    create_date: String,
    /// UTC milliseconds; an addition of ours.
    create_time: i64,
}

impl Comment {
    /// Joins a comment with its writer.
    pub fn new(
        comment: idl::comment::Comment,
        user: User,
        utc_offset: chrono::FixedOffset,
    ) -> Self {
        let date = chrono::DateTime::from_timestamp_millis(comment.created_ms).unwrap_or_default();
        Self {
            id: comment.id,
            user,
            content: comment.content.to_string(),
            create_date: date.with_timezone(&utc_offset).format("%m-%d").to_string(),
            create_time: comment.created_ms,
        }
    }
}
