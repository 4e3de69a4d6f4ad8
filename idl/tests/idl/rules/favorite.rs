//! The methods and rules of favorite.thrift: a valid request of each method, and both sides of each rule.

use idl::{Rule, base::Deletable, favorite::*};
use volo_thrift::{ClientError, ServerError};

use super::{
    edges::{Edge, at_least, edge, ids, page_size},
    servers::{Clients, Handler, Rpc, interface},
};

interface! {
    FavoriteService favorite {
        set_favorite(SetFavoriteRequest { user_id: 1, video_id: 1, liked: true }) -> SetFavoriteResponse;
        list_favorites(ListFavoritesRequest { user_id: 1, before: None, limit: 1 })
            -> ListFavoritesResponse;
        favorite_page(FavoritePageRequest { video_ids: vec![], user_ids: vec![], viewer_id: None, flags_only: None })
            -> FavoritePageResponse;
        mget_flags(MGetFlagsRequest { viewers: viewers(1) }) -> MGetFlagsResponse;
        forget_favorites(ForgetFavoritesRequest { kind: Deletable::VIDEO, id: 1 }) -> ForgetFavoritesResponse;
    }
}

/// So many viewers, who are shown nothing.
fn viewers(count: i64) -> pilota::AHashMap<i64, Shown> {
    (1..=count).map(|id| (id, Shown::default())).collect()
}

/// What the first of them is shown.
fn shown(request: &mut MGetFlagsRequest) -> &mut Shown {
    request.viewers.get_mut(&1).unwrap()
}

/// Every rule of the file.
pub fn edges() -> Vec<Edge> {
    let mut all = vec![
        at_least("user_id", 1, |r: &mut SetFavoriteRequest, v| r.user_id = v),
        at_least("video_id", 1, |r: &mut SetFavoriteRequest, v| {
            r.video_id = v
        }),
        at_least("user_id", 1, |r: &mut ListFavoritesRequest, v| {
            r.user_id = v
        }),
        at_least("before", 1, |r: &mut ListFavoritesRequest, v| {
            r.before = Some(v)
        }),
        at_least("viewer_id", 1, |r: &mut FavoritePageRequest, v| {
            r.viewer_id = Some(v)
        }),
        at_least("id", 1, |r: &mut ForgetFavoritesRequest, v| r.id = v),
        edge(
            "kind",
            Rule::DefinedOnly,
            Deletable::USER,
            Deletable::from(3),
            |r: &mut ForgetFavoritesRequest, v| r.kind = v,
        ),
    ];
    all.push(edge(
        "viewers",
        Rule::MaxItems,
        viewers(64),
        viewers(65),
        |r: &mut MGetFlagsRequest, v| r.viewers = v,
    ));
    let of_videos = ids("video_ids", "video_ids[]", |r, v| shown(r).video_ids = v);
    let of_users = ids("user_ids", "user_ids[]", |r, v| shown(r).user_ids = v);
    let of_viewer = of_videos.into_iter().chain(of_users);
    all.extend(of_viewer.map(|edge| edge.of("Shown", "viewers[].")));
    all.extend(page_size(300, |r: &mut ListFavoritesRequest, v| {
        r.limit = v
    }));
    all.extend(ids(
        "video_ids",
        "video_ids[]",
        |r: &mut FavoritePageRequest, v| r.video_ids = v,
    ));
    all.extend(ids(
        "user_ids",
        "user_ids[]",
        |r: &mut FavoritePageRequest, v| r.user_ids = v,
    ));
    all
}
