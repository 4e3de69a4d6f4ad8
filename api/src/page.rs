//! Assembles a page: one call per service for everything on it, all at once, whatever its length.
//!
//! Users are required. Exact counts and the viewer's likes are optional: when their service is away, the page shows the counts of the
//! last fold, which come with the rows.

use std::collections::{HashMap, HashSet};

use idl::{
    comment::CountCommentsRequest,
    favorite::{FavoritePageRequest, FavoritePageResponse},
    user::MGetUsersRequest,
};

use crate::{
    app::App,
    error::ApiError,
    objects::{Comment, User, Video},
};

/// Joins videos with authors, counts and the viewer's likes, in the videos' order.
pub async fn videos(
    app: &App,
    videos: Vec<idl::video::Video>,
    viewer: Option<i64>,
) -> Result<Vec<Video>, ApiError> {
    let video_ids: Vec<i64> = videos.iter().map(|video| video.id).collect();
    let author_ids = distinct(videos.iter().map(|video| video.author_id));
    let people = people(app, author_ids, video_ids.clone(), viewer);
    let (people, comments) = futures::future::join(people, comment_counts(app, video_ids)).await;
    let (authors, likes) = people?;
    let liked: HashSet<i64> = likes
        .iter()
        .flat_map(|likes| &likes.liked_video_ids)
        .copied()
        .collect();
    let joined = videos.into_iter().filter_map(|video| {
        let author = author_of(&video, &authors)?;
        let favorites = likes
            .as_ref()
            .and_then(|likes| likes.favorite_counts.get(&video.id).copied());
        let favorite_count = favorites.unwrap_or(video.favorite_count);
        let comment_count = comments
            .get(&video.id)
            .copied()
            .unwrap_or(video.comment_count);
        let is_favorite = liked.contains(&video.id);
        Some(Video::new(
            video,
            author,
            favorite_count,
            comment_count,
            is_favorite,
        ))
    });
    Ok(joined.collect())
}

/// Joins comments with their writers, in the comments' order.
pub async fn comments(
    app: &App,
    comments: Vec<idl::comment::Comment>,
) -> Result<Vec<Comment>, ApiError> {
    let writers = users(
        app,
        distinct(comments.iter().map(|comment| comment.user_id)),
    )
    .await?;
    let joined = comments.into_iter().filter_map(|comment| {
        let Some(writer) = writers.get(&comment.user_id) else {
            tracing::error!(
                comment_id = comment.id,
                "comment without a writer is left out"
            );
            return None;
        };
        Some(Comment::new(comment, writer.clone(), app.utc_offset))
    });
    Ok(joined.collect())
}

/// The users with these ids; an id that names nobody is left out.
pub async fn users(app: &App, ids: Vec<i64>) -> Result<HashMap<i64, User>, ApiError> {
    Ok(people(app, ids, Vec::new(), None).await?.0)
}

/// Users with their counts, and the likes on the page by the same call. No ids: no call.
async fn people(
    app: &App,
    user_ids: Vec<i64>,
    video_ids: Vec<i64>,
    viewer_id: Option<i64>,
) -> Result<(HashMap<i64, User>, Option<FavoritePageResponse>), ApiError> {
    if user_ids.is_empty() {
        return Ok((HashMap::new(), None));
    }
    let users = app.user.mget_users(MGetUsersRequest {
        user_ids: user_ids.clone(),
    });
    let likes = app.favorite.favorite_page(FavoritePageRequest {
        video_ids,
        user_ids,
        viewer_id,
    });
    let (users, likes) = futures::future::join(users, likes).await;
    // The client has logged why the call failed.
    let likes = likes.ok();
    let counts = |id: i64| likes.as_ref().and_then(|likes| likes.user_counts.get(&id));
    let users = users?
        .users
        .into_iter()
        .map(|user| (user.id, User::new(user.clone(), counts(user.id))))
        .collect();
    Ok((users, likes))
}

async fn comment_counts(app: &App, video_ids: Vec<i64>) -> HashMap<i64, i64> {
    if video_ids.is_empty() {
        return HashMap::new();
    }
    let counts = app
        .comment
        .count_comments(CountCommentsRequest { video_ids })
        .await;
    counts
        .map(|counts| counts.comment_counts.into_iter().collect())
        .unwrap_or_default()
}

fn author_of(video: &idl::video::Video, authors: &HashMap<i64, User>) -> Option<User> {
    let author = authors.get(&video.author_id).cloned();
    if author.is_none() {
        // Accounts are never deleted, so a row was lost.
        tracing::error!(
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
