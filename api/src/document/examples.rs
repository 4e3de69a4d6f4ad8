//! Objects as the examples of the document show them, made the way replies are made.

use chrono::{FixedOffset, Offset as _, Utc};

use crate::{
    objects::{Comment, User, Video},
    routes::register::Session,
};

/// When the example's video was published.
pub const PUBLISHED_MS: i64 = 1_735_689_600_000;

/// Of a session.
pub fn session() -> Session {
    Session {
        user_id: 1,
        token: "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl".to_owned(),
    }
}

/// Of a user.
pub fn user() -> User {
    let user = idl::user::User {
        id: 1,
        name: "newcomer".into(),
        avatar: "".into(),
        background_image: "".into(),
        signature: "".into(),
        total_favorited: 2,
        favorite_count: 1,
        work_count: 1,
        created_ms: None,
    };
    User::new(user, None)
}

/// Of a video.
pub fn video() -> Video {
    let video = idl::video::Video {
        id: 1,
        author_id: 1,
        title: "My first film".into(),
        play_url: "https://videos.example/videos/1.mp4?X-Amz-Signature=0".into(),
        cover_url: "https://videos.example/videos/1.jpg?X-Amz-Signature=0".into(),
        published_ms: PUBLISHED_MS,
        favorite_count: 2,
        comment_count: 1,
    };
    Video::new(video, user(), 2, 1, true)
}

/// Of a comment.
pub fn comment() -> Comment {
    let comment = idl::comment::Comment {
        id: 1,
        user_id: 1,
        video_id: 1,
        content: "Nice!".into(),
        created_ms: PUBLISHED_MS,
    };
    let utc: FixedOffset = Utc.fix();
    Comment::new(comment, user(), utc)
}
