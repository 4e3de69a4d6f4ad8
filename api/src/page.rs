//! Assembles a page: one call per service for what didn't come with it, all at once, whatever its length.
//!
//! Users are required; who was read a moment ago isn't read again, except the viewers themselves, who see their own profile as it is now
//! ([`crate::users`]). Exact counts are optional: while they can't be read, the page shows those of the last fold, which come with the rows.
//! How the viewer's likes and follows are read is in [`crate::flags`].

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use futures::future::{join, join_all};
use idl::{
    base::UserCounts,
    comment::CountCommentsRequest,
    favorite::FavoritePageRequest,
    user::{MGetUsersRequest, User as Row},
};
use marks::Consistency;

use crate::{
    app::App,
    error::ApiError,
    flags::{self, FlagDemand, Flags, Group, HasFlags as _},
    flights,
    objects::{Comment, User, Video},
    users::ViewerConsistency,
};

/// Users in one call of a service at most.
const MAX_IDS: usize = 300;

/// Exact counts of users that a service included in its page.
pub struct IncludedCounts(Option<HashMap<i64, UserCounts>>);

impl IncludedCounts {
    /// `counts`: none from a service of a version that doesn't include them, and empty while they can't be read.
    pub fn new(counts: Option<impl IntoIterator<Item = (i64, UserCounts)>>) -> Self {
        Self(counts.map(|counts| counts.into_iter().collect()))
    }

    /// None are included.
    pub fn none() -> Self {
        Self(None)
    }
}

/// Joins videos with authors and counts, in the videos' order; nobody likes any of them. The counts of the videos are exact where
/// those of their authors came along. `viewers`: who is shown the page.
pub async fn videos(
    app: &App,
    mut videos: Vec<idl::video::Video>,
    counts: IncludedCounts,
    viewers: &ViewerConsistency,
) -> Result<Vec<Video>, ApiError> {
    let author_ids = distinct(videos.iter().map(|video| video.author_id));
    let authors = match &counts.0 {
        Some(_) => users_with(app, author_ids, counts, viewers).await?,
        None => {
            let users = users_with(app, author_ids, counts, viewers);
            join(users, count(app, &mut videos)).await.0?
        }
    };
    let joined = videos.into_iter().filter_map(|video| {
        let author = author_of(&video, &authors)?;
        let (favorites, comments) = (video.favorite_count, video.comment_count);
        Some(Video::new(video, author, favorites, comments, false))
    });
    Ok(joined.collect())
}

/// The same for one viewer, with what they like.
pub async fn videos_of(
    app: &App,
    list: Vec<idl::video::Video>,
    viewer: Option<i64>,
) -> Result<Vec<Video>, ApiError> {
    let ids = list.iter().map(|video| video.id).collect();
    let author_ids = list.iter().map(|video| video.author_id).collect();
    let flags = async {
        match viewer {
            Some(viewer) => {
                let consistency = service::reader().consistency;
                flags(app, viewer, consistency, ids, author_ids).await
            }
            None => Flags::default(),
        }
    };
    let viewers = shown_to(viewer);
    let page = videos(app, list, IncludedCounts::none(), &viewers);
    let (page, flags) = join(page, flags).await;
    let mut page = page?;
    page.set_flags(&flags);
    Ok(page)
}

/// What the viewer likes and whom they follow of these, in one call with all others who ask at this moment; nothing while that can't be
/// read. `consistency`: what the viewer must see.
pub async fn flags(
    app: &App,
    viewer: i64,
    consistency: Consistency,
    video_ids: Vec<i64>,
    user_ids: Vec<i64>,
) -> Flags {
    let group = Group::of(&consistency);
    let wanted = FlagDemand::for_viewer(viewer, consistency, video_ids, user_ids);
    if wanted.is_nothing() {
        return Flags::default();
    }
    let favorite = app.favorite.clone();
    let read = async move |wanted| flags::read(&favorite, wanted).await;
    let flags = flights::join(&app.flights.flags, group, wanted, read).await;
    let flags = flags.ok().and_then(|flags| flags.get(&viewer).cloned());
    flags.unwrap_or_default()
}

/// Joins comments with their writers, in the comments' order. `viewers`: who is shown the page.
pub async fn comments(
    app: &App,
    comments: Vec<idl::comment::Comment>,
    counts: IncludedCounts,
    viewers: &ViewerConsistency,
) -> Result<Vec<Comment>, ApiError> {
    let ids = distinct(comments.iter().map(|comment| comment.user_id));
    let writers = users_with(app, ids, counts, viewers).await?;
    let joined = comments.into_iter().filter_map(|comment| {
        let Some(writer) = writers.get(&comment.user_id) else {
            // The account is being deleted, or a row was lost; as in [`author_of`].
            tracing::warn!(
                comment_id = comment.id,
                "comment without a writer is left out"
            );
            return None;
        };
        Some(Comment::new(comment, writer.clone(), app.utc_offset))
    });
    Ok(joined.collect())
}

/// These users in this order, for this viewer; one who isn't there any more is left out.
pub async fn users_in_order(
    app: &App,
    ids: Vec<i64>,
    counts: IncludedCounts,
    viewer: Option<i64>,
) -> Result<Vec<User>, ApiError> {
    let viewers = shown_to(viewer);
    let mut users = users_with(app, distinct(ids.iter().copied()), counts, &viewers).await?;
    Ok(ids.iter().filter_map(|id| users.remove(id)).collect())
}

/// Whether there is a user with this id, or was a moment ago.
pub async fn user_exists(app: &App, id: i64) -> Result<bool, ApiError> {
    Ok(app.users.contains(id)
        || !look_up(app, vec![id], &ViewerConsistency::new())
            .await?
            .is_empty())
}

/// The users with these ids, for the eyes of others; an id that names nobody is left out.
pub async fn users(app: &App, ids: Vec<i64>) -> Result<HashMap<i64, User>, ApiError> {
    users_with(app, ids, IncludedCounts::none(), &ViewerConsistency::new()).await
}

/// A user as they are at this moment; none: there is no such user. For the eyes of who may just have changed it.
pub async fn user_now(app: &App, user_id: i64) -> Result<Option<User>, ApiError> {
    let request = MGetUsersRequest {
        user_ids: vec![user_id],
        with_changes: Some(true),
    };
    let row = app.user.mget_users(request);
    let (rows, counts) = join(row, user_counts(app, vec![user_id])).await;
    let row = rows?.users.into_iter().next();
    Ok(row.map(|row| {
        app.users
            .insert_seen(row.clone(), service::reader().consistency);
        user_of(row, &counts).1
    }))
}

/// A user that was just read, with the exact counts.
pub async fn counted(app: &App, row: Row) -> User {
    let counts = user_counts(app, vec![row.id]).await;
    user_of(row, &counts).1
}

/// The viewer of a page that nobody else is shown: they must see what the reader must see.
pub fn shown_to(viewer: Option<i64>) -> ViewerConsistency {
    let consistency = || service::reader().consistency;
    viewer
        .map(|viewer| (viewer, consistency()))
        .into_iter()
        .collect()
}

async fn users_with(
    app: &App,
    ids: Vec<i64>,
    counts: IncludedCounts,
    viewers: &ViewerConsistency,
) -> Result<HashMap<i64, User>, ApiError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let (known, unknown) = app.users.get_all(ids.iter().copied(), viewers);
    let counts = async {
        match counts {
            IncludedCounts(Some(counts)) => Arc::new(counts),
            IncludedCounts(None) => user_counts(app, ids).await,
        }
    };
    let (rows, counts) = join(look_up(app, unknown, viewers), counts).await;
    // Of whom there is no exact count, that of the last fold is shown, and it isn't the one that was read a moment ago.
    let (known, stale): (Vec<Row>, Vec<Row>) = known
        .into_iter()
        .partition(|row| counts.contains_key(&row.id));
    let stale = stale.iter().map(|row| row.id).collect();
    let again = look_up(app, stale, viewers).await?;
    let rows = rows?.into_iter().chain(known).chain(again);
    Ok(rows.map(|row| user_of(row, &counts)).collect())
}

fn user_of(row: Row, counts: &HashMap<i64, UserCounts>) -> (i64, User) {
    let (id, counts) = (row.id, counts.get(&row.id));
    (id, User::new(row, counts))
}

/// Asks for users, and remembers them. No ids: no call. With a viewer among them, the call sees what the reader must see.
async fn look_up(
    app: &App,
    user_ids: Vec<i64>,
    viewers: &ViewerConsistency,
) -> Result<Vec<Row>, ApiError> {
    if user_ids.is_empty() {
        return Ok(Vec::new());
    }
    let has_viewer = user_ids.iter().any(|id| viewers.contains_key(id));
    let seen = match has_viewer {
        true => service::reader().consistency,
        false => Consistency::Any,
    };
    let rows = app
        .user
        .mget_users(MGetUsersRequest {
            user_ids,
            with_changes: has_viewer.then_some(true),
        })
        .await?;
    for row in &rows.users {
        app.users.insert_seen(row.clone(), seen.clone());
    }
    Ok(rows.users)
}

/// Exact counts of users, in one call with all others that are asked for at this moment; what can't be read is left out.
async fn user_counts(app: &App, ids: Vec<i64>) -> Arc<HashMap<i64, UserCounts>> {
    let favorite = app.favorite.clone();
    let read = async move |ids: BTreeSet<i64>| {
        let ids: Vec<i64> = ids.into_iter().collect();
        let calls = ids.chunks(MAX_IDS).map(|ids| {
            favorite.favorite_page(FavoritePageRequest {
                video_ids: Vec::new(),
                user_ids: ids.to_vec(),
                viewer_id: None,
                flags_only: None,
            })
        });
        let pages = join_all(calls).await.into_iter();
        let counts = pages.flatten().flat_map(|page| page.user_counts);
        Arc::new(counts.collect())
    };
    let ids = ids.into_iter().collect();
    let counts = flights::join(&app.flights.user_counts, (), ids, read).await;
    counts.unwrap_or_default()
}

/// Asks for the exact counts of videos, as far as they can be read.
async fn count(app: &App, videos: &mut [idl::video::Video]) {
    if videos.is_empty() {
        return;
    }
    let ids: Vec<i64> = videos.iter().map(|video| video.id).collect();
    let comments = app.comment.count_comments(CountCommentsRequest {
        video_ids: ids.clone(),
    });
    let favorites = app.favorite.favorite_page(FavoritePageRequest {
        video_ids: ids,
        user_ids: Vec::new(),
        viewer_id: None,
        flags_only: None,
    });
    let (comments, favorites) = join(comments, favorites).await;
    for video in videos {
        let count = comments
            .as_ref()
            .ok()
            .and_then(|counts| counts.comment_counts.get(&video.id));
        video.comment_count = count.copied().unwrap_or(video.comment_count);
        let count = favorites
            .as_ref()
            .ok()
            .and_then(|counts| counts.favorite_counts.get(&video.id));
        video.favorite_count = count.copied().unwrap_or(video.favorite_count);
    }
}

fn author_of(video: &idl::video::Video, authors: &HashMap<i64, User>) -> Option<User> {
    let author = authors.get(&video.author_id).cloned();
    if author.is_none() {
        // As long as an account is being deleted; else a row was lost.
        tracing::warn!(
            video_id = video.id,
            author_id = video.author_id,
            "video without an author is left out"
        );
    }
    author
}

fn distinct(ids: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
