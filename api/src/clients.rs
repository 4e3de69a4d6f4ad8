//! The services that the API calls, and what each call may cost in time. A method without a policy doesn't compile.

use std::time::Duration;

use idl::{
    comment::{CommentServiceClient, CommentServiceClientBuilder, CommentServiceRequestSend},
    favorite::{FavoriteServiceClient, FavoriteServiceClientBuilder, FavoriteServiceRequestSend},
    user::{UserServiceClient, UserServiceClientBuilder, UserServiceRequestSend},
    video::{VideoServiceClient, VideoServiceClientBuilder, VideoServiceRequestSend},
};
use service::{Call, Process};

/// A read by index: milliseconds when all is well, so this is room for a busy machine.
const READ: Duration = Duration::from_secs(2);
/// What only adorns a page: without it the page shows the counts of the last fold.
const ADORNMENT: Duration = Duration::from_secs(1);
/// A write outlasts the semi-sync timeout of 1 s, after which the primary goes on alone.
const WRITE: Duration = Duration::from_secs(4);
/// Password hashes queue for the cores.
const HASH: Duration = Duration::from_secs(8);
/// Probing, taking the cover and storing the row; ffmpeg has its own limits within.
const PUBLISH: Duration = Duration::from_secs(90);

/// The user service.
pub fn user(process: &Process) -> UserServiceClient {
    process.client(
        UserServiceClientBuilder::new("user"),
        |request| match request {
            UserServiceRequestSend::Register(_) => Call::once(HASH),
            UserServiceRequestSend::Login(_) => Call::idempotent(HASH),
            UserServiceRequestSend::MgetUsers(_) => Call::idempotent(READ),
        },
    )
}

/// The video service.
pub fn video(process: &Process) -> VideoServiceClient {
    process.client(
        VideoServiceClientBuilder::new("video"),
        |request| match request {
            VideoServiceRequestSend::Feed(_)
            | VideoServiceRequestSend::ListByAuthor(_)
            | VideoServiceRequestSend::MgetVideos(_)
            | VideoServiceRequestSend::MgetAuthors(_) => Call::idempotent(READ),
            VideoServiceRequestSend::BeginUpload(_) => Call::once(WRITE),
            VideoServiceRequestSend::Publish(_) => Call::once(PUBLISH),
            VideoServiceRequestSend::AbortUpload(_) => Call::idempotent(WRITE),
        },
    )
}

/// The favorite service.
pub fn favorite(process: &Process) -> FavoriteServiceClient {
    process.client(
        FavoriteServiceClientBuilder::new("favorite"),
        |request| match request {
            // Idempotent, but not harmless late: a paused instance could still like what was unliked elsewhere meanwhile.
            FavoriteServiceRequestSend::SetFavorite(_) => Call::once(WRITE),
            FavoriteServiceRequestSend::ListFavorites(_) => Call::idempotent(READ),
            FavoriteServiceRequestSend::FavoritePage(_) => Call::idempotent(ADORNMENT),
        },
    )
}

/// The comment service.
pub fn comment(process: &Process) -> CommentServiceClient {
    process.client(
        CommentServiceClientBuilder::new("comment"),
        |request| match request {
            CommentServiceRequestSend::AddComment(_)
            | CommentServiceRequestSend::DeleteComment(_) => Call::once(WRITE),
            CommentServiceRequestSend::ListComments(_) => Call::idempotent(READ),
            CommentServiceRequestSend::CountComments(_) => Call::idempotent(ADORNMENT),
        },
    )
}
