//! The contract's objects as JSON. Every field is always sent, also when it is empty or zero.

use chrono::{FixedOffset, Offset as _, Utc};
use idl::base::UserCounts;
use serde::Serialize;
use utoipa::ToSchema;

/// When the document's example of a video was published, in UTC milliseconds.
pub const EXAMPLE_TIME_MS: i64 = 1_735_689_600_000;

/// A user as a viewer sees them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct User {
    #[schema(minimum = 1)]
    id: i64,
    /// The same value again, which one client reads.
    #[schema(minimum = 1)]
    user_id: i64,
    #[schema(min_length = 1, max_length = 32)]
    name: String,
    /// Users whom this user follows.
    #[schema(minimum = 0)]
    follow_count: i64,
    /// Users who follow this user.
    #[schema(minimum = 0)]
    follower_count: i64,
    /// Whether the one who asks follows this user; false without a token.
    is_follow: bool,
    /// Time-limited. Drawn for who has sent none.
    #[schema(format = "uri")]
    avatar: String,
    /// Time-limited. Drawn for who has sent none.
    #[schema(format = "uri")]
    background_image: String,
    #[schema(max_length = 200)]
    signature: String,
    /// Likes that this user's videos received.
    #[schema(minimum = 0)]
    total_favorited: i64,
    /// Videos published.
    #[schema(minimum = 0)]
    work_count: i64,
    /// Videos that this user likes.
    #[schema(minimum = 0)]
    favorite_count: i64,
}

impl User {
    /// Joins a user with the exact counts; without them, those of the last fold. Nobody follows them yet.
    pub fn new(user: idl::user::User, exact: Option<&UserCounts>) -> Self {
        // From services of a version without follows: none.
        let follows = exact.and_then(|counts| counts.follow_count);
        let followers = exact.and_then(|counts| counts.follower_count);
        Self {
            id: user.id,
            user_id: user.id,
            name: user.name.to_string(),
            follow_count: follows.or(user.follow_count).unwrap_or(0),
            follower_count: followers.or(user.follower_count).unwrap_or(0),
            is_follow: false,
            avatar: user.avatar.to_string(),
            background_image: user.background_image.to_string(),
            signature: user.signature.to_string(),
            total_favorited: exact.map_or(user.total_favorited, |counts| counts.total_favorited),
            work_count: exact.map_or(user.work_count, |counts| counts.work_count),
            favorite_count: exact.map_or(user.favorite_count, |counts| counts.favorite_count),
        }
    }

    /// Their id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// What they call themself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets whether the one who asks follows them.
    pub fn set_follow(&mut self, is_follow: bool) {
        self.is_follow = is_follow;
    }

    /// As the document's examples show it.
    pub fn example() -> Self {
        let user = idl::user::User {
            id: 1,
            name: "newcomer".into(),
            avatar: "https://videos.example/pictures/1.jpg?X-Amz-Signature=0".into(),
            background_image: "https://videos.example/pictures/2.jpg?X-Amz-Signature=0".into(),
            signature: "".into(),
            total_favorited: 2,
            favorite_count: 1,
            work_count: 1,
            created_ms: None,
            token_epoch: None,
            follow_count: Some(1),
            follower_count: Some(3),
        };
        Self::new(user, None)
    }
}

/// A video as a viewer sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Video {
    /// At most 2^53, as all ids.
    #[schema(minimum = 1)]
    id: i64,
    author: User,
    /// Time-limited.
    #[schema(format = "uri")]
    play_url: String,
    /// Time-limited.
    #[schema(format = "uri")]
    cover_url: String,
    #[schema(minimum = 0)]
    favorite_count: i64,
    #[schema(minimum = 0)]
    comment_count: i64,
    /// Whether the one who asks likes it; false without a token.
    is_favorite: bool,
    #[schema(min_length = 1, max_length = 100)]
    title: String,
    /// When it was published, UTC milliseconds; of a video that isn't ready, when it was uploaded. An addition of ours, as all that follow.
    create_time: i64,
    /// Whether viewers get it. Only its author sees a video that isn't ready.
    #[schema(inline)]
    state: VideoState,
    /// Of the processing, in percent.
    #[schema(minimum = 0, maximum = 100)]
    progress: i32,
    /// Why it failed, in words; else empty.
    reason: String,
    /// The cover in small, for grids. Time-limited.
    #[schema(format = "uri")]
    small_cover_url: String,
    /// The forms to choose from, the highest first; empty: `play_url` alone.
    renditions: Vec<Rendition>,
    /// In pixels, as viewed; 0: unknown.
    #[schema(minimum = 0)]
    width: i32,
    /// In pixels, as viewed; 0: unknown.
    #[schema(minimum = 0)]
    height: i32,
    #[schema(minimum = 0)]
    duration_ms: i64,
}

/// Whether viewers get a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VideoState {
    /// Everybody does.
    Ready,
    /// It is being made into something that plays everywhere.
    Processing,
    /// That can't be done.
    Failed,
}

/// A form of a video, beside others.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Rendition {
    /// In pixels, as viewed.
    #[schema(minimum = 1)]
    height: i32,
    /// Bits a second.
    #[schema(minimum = 0)]
    bit_rate: i32,
    /// Time-limited.
    #[schema(format = "uri")]
    url: String,
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
            create_time: match (video.published_ms, video.created_ms) {
                (0, Some(created_ms)) => created_ms,
                (published_ms, _) => published_ms,
            },
            state: match video.state {
                Some(idl::video::VideoState::PROCESSING) => VideoState::Processing,
                Some(idl::video::VideoState::FAILED) => VideoState::Failed,
                // A service of a version before knew no other.
                _ => VideoState::Ready,
            },
            progress: match video.state {
                Some(idl::video::VideoState::PROCESSING | idl::video::VideoState::FAILED) => {
                    video.progress.unwrap_or(0)
                }
                _ => 100,
            },
            reason: video
                .reason
                .map(|reason| reason.to_string())
                .unwrap_or_default(),
            small_cover_url: video.small_cover_url.unwrap_or(video.cover_url).to_string(),
            renditions: video
                .renditions
                .into_iter()
                .flatten()
                .map(Rendition::from)
                .collect(),
            width: video.width.unwrap_or(0),
            height: video.height.unwrap_or(0),
            duration_ms: video.duration_ms.unwrap_or(0),
        }
    }

    /// Its id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// What its author calls it.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Its cover, for a limited time.
    pub fn cover_url(&self) -> &str {
        &self.cover_url
    }

    /// Whether everybody may see it.
    pub fn is_ready(&self) -> bool {
        self.state == VideoState::Ready
    }

    /// Who published it.
    pub fn author(&self) -> &User {
        &self.author
    }

    /// The same, to be flagged.
    pub fn author_mut(&mut self) -> &mut User {
        &mut self.author
    }

    /// Sets whether the one who asks likes it.
    pub fn set_favorite(&mut self, is_favorite: bool) {
        self.is_favorite = is_favorite;
    }

    /// As the document's examples show it.
    pub fn example() -> Self {
        let video = idl::video::Video {
            id: 1,
            author_id: 1,
            title: "My first film".into(),
            play_url: "https://videos.example/videos/1.mp4?X-Amz-Signature=0".into(),
            cover_url: "https://videos.example/videos/1.jpg?X-Amz-Signature=0".into(),
            published_ms: EXAMPLE_TIME_MS,
            favorite_count: 2,
            comment_count: 1,
            state: Some(idl::video::VideoState::READY),
            progress: Some(100),
            reason: None,
            small_cover_url: Some(
                "https://videos.example/covers/1.small.jpg?X-Amz-Signature=0".into(),
            ),
            width: Some(1080),
            height: Some(1920),
            duration_ms: Some(15_000),
            renditions: None,
            created_ms: Some(EXAMPLE_TIME_MS),
        };
        Self::new(video, User::example(), 2, 1, true)
    }
}

impl From<idl::video::Rendition> for Rendition {
    fn from(rendition: idl::video::Rendition) -> Self {
        Self {
            height: rendition.height,
            bit_rate: rendition.bit_rate,
            url: rendition.url.to_string(),
        }
    }
}

/// A comment as a viewer sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Comment {
    #[schema(minimum = 1)]
    id: i64,
    user: User,
    #[schema(min_length = 1, max_length = 500)]
    content: String,
    /// "mm-dd" in the time zone of the settings.
    #[schema(pattern = "^[0-1][0-9]-[0-3][0-9]$")]
    create_date: String,
    /// UTC milliseconds; an addition of ours.
    create_time: i64,
}

impl Comment {
    /// Joins a comment with its writer.
    pub fn new(comment: idl::comment::Comment, user: User, utc_offset: FixedOffset) -> Self {
        let date = chrono::DateTime::from_timestamp_millis(comment.created_ms).unwrap_or_default();
        Self {
            id: comment.id,
            user,
            content: comment.content.to_string(),
            create_date: date.with_timezone(&utc_offset).format("%m-%d").to_string(),
            create_time: comment.created_ms,
        }
    }

    /// Who wrote it.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The same, to be flagged.
    pub fn user_mut(&mut self) -> &mut User {
        &mut self.user
    }

    /// As the document's examples show it.
    pub fn example() -> Self {
        let comment = idl::comment::Comment {
            id: 1,
            user_id: 1,
            video_id: 1,
            content: "Nice!".into(),
            created_ms: EXAMPLE_TIME_MS,
        };
        let utc: FixedOffset = Utc.fix();
        Self::new(comment, User::example(), utc)
    }
}

/// A page of the feed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FeedPage {
    /// Newest first.
    #[schema(max_items = 30)]
    pub video_list: Vec<Video>,
    /// The next page's `latest_time`.
    pub next_time: i64,
}

/// A page of a list of videos.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VideoPage {
    /// In the list's order.
    #[schema(max_items = 300)]
    pub video_list: Vec<Video>,
    /// Whether more follows after the last; an addition of ours.
    pub has_more: bool,
    /// The next page's `before`: a place in the list's order, also when what stood there is gone. 0 when nothing follows.
    #[schema(minimum = 0)]
    pub next_before: i64,
}

/// A page of the comments under a video.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CommentPage {
    /// Newest first.
    #[schema(max_items = 300)]
    pub comment_list: Vec<Comment>,
    /// Whether more follows after the last; an addition of ours.
    pub has_more: bool,
    /// The next page's `before`: a place in the list's order, also when what stood there is gone. 0 when nothing follows.
    #[schema(minimum = 0)]
    pub next_before: i64,
}

/// A page of a list of users.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserPage {
    /// Latest follow first.
    #[schema(max_items = 300)]
    pub user_list: Vec<User>,
    /// Whether more follows after the last; an addition of ours.
    pub has_more: bool,
    /// The next page's `before`: a place in the list's order, also when what stood there is gone. 0 when nothing follows.
    #[schema(minimum = 0)]
    pub next_before: i64,
}
