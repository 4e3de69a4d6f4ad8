// Likes: who likes what, and the counts that follow from it.
namespace rs favorite
namespace go favorite

include "base.thrift"

struct SetFavoriteRequest {
    1: required i64 user_id (vt.ge = "1"),
    2: required i64 video_id (vt.ge = "1"),
    /** true: like; false: unlike. */
    3: required bool liked,
}

struct SetFavoriteResponse {
    /** Whether a row changed: false for a like of what is liked already. */
    1: required bool changed,
}

struct ListFavoritesRequest {
    1: required i64 user_id (vt.ge = "1"),
    // 2 was the id of a video.
    3: required i32 limit (vt.ge = "1", vt.le = "300"),
    /** The last page's `next_before`; absent: from the latest like. */
    4: optional i64 before (vt.ge = "1"),
}

struct ListFavoritesResponse {
    /** Latest like first. */
    1: required list<i64> video_ids,
    2: required bool has_more,
    /** A place in this order, whatever becomes of the like that stood there; absent: nothing follows. */
    3: optional i64 next_before,
}

/** Exact counts. It still has the flags of one viewer for APIs of 0.1.0; later ones ask `mget_flags`. */
struct FavoritePageRequest {
    1: required list<i64> video_ids (vt.max_size = "300", vt.elem.ge = "1"),
    2: required list<i64> user_ids (vt.max_size = "300", vt.elem.ge = "1"),
    /** Whose flags; absent: an anonymous reader, for whom nothing is liked and nobody followed. */
    3: optional i64 viewer_id (vt.ge = "1"),
    /** Whether the flags are all that is asked for: then the counts may be left out. */
    4: optional bool flags_only,
}

struct FavoritePageResponse {
    /** video id -> likes */
    1: required map<i64, i64> favorite_counts,
    /** The videos of the request that the viewer likes. */
    2: required list<i64> liked_video_ids,
    /** Works are counted with the other two, so that one call brings all. */
    3: required map<i64, base.UserCounts> user_counts,
    /**
     * The users of the request whom the viewer follows: read with the likes, in one statement, so that a page costs one call and one
     * statement for both.
     */
    4: optional list<i64> followed_user_ids,
}

/** What is shown to one viewer. */
struct Shown {
    1: required list<i64> video_ids (vt.max_size = "300", vt.elem.ge = "1"),
    2: required list<i64> user_ids (vt.max_size = "300", vt.elem.ge = "1"),
}

struct Flags {
    /** Those of the videos that the viewer likes. */
    1: required list<i64> liked_video_ids,
    /** Those of the users whom the viewer follows. */
    2: required list<i64> followed_user_ids,
}

struct MGetFlagsRequest {
    /** viewer id -> what they are shown */
    1: required map<i64, Shown> viewers (vt.max_size = "64"),
}

struct MGetFlagsResponse {
    /** viewer id -> flags; who likes and follows nothing of it may be missing. */
    1: required map<i64, Flags> flags,
}

struct ForgetFavoritesRequest {
    1: required base.Deletable kind (vt.defined_only = "true"),
    /** Of a video or user that is deleted for good. */
    2: required i64 id (vt.ge = "1"),
}

struct ForgetFavoritesResponse {
    /** Whether likes are left for the next call. */
    1: required bool has_more,
}

service FavoriteService {
    /** NO_SUCH_VIDEO for like and unlike of a missing video. Idempotent. */
    // 4 s: a write outlasts the semi-sync timeout of 1 s. No retry: an instance that was paused could still carry out the first attempt,
    // after the user has done the opposite elsewhere.
    SetFavoriteResponse set_favorite(1: SetFavoriteRequest req) (call.deadline_ms = "4000", call.retry = "false"),
    // 2 s: a read by index takes milliseconds; the rest is for a busy machine.
    ListFavoritesResponse list_favorites(1: ListFavoritesRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    // 1 s: a page doesn't wait long for it; without it the page shows the counts of the last fold.
    FavoritePageResponse favorite_page(1: FavoritePageRequest req) (call.deadline_ms = "1000", call.retry = "true"),
    /** What many viewers like and whom they follow, of what each is shown: read in one statement. */
    // 1 s: as above; without it the page shows no likes and no follows.
    MGetFlagsResponse mget_flags(1: MGetFlagsRequest req) (call.deadline_ms = "1000", call.retry = "true"),
    /** Lets nobody like the video, or the user like anything, from now on, and takes away what likes there are, as many as there is time for. Idempotent. */
    // 5 s: it works for a second at most, and then ends the batch that it is at. Retry: what is gone is gone.
    ForgetFavoritesResponse forget_favorites(1: ForgetFavoritesRequest req) (call.deadline_ms = "5000", call.retry = "true"),
}
