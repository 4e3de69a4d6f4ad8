// Videos: upload, publish, the feed, lists of works.
namespace rs video
namespace go video

include "base.thrift"

/** Whether viewers get a video. */
enum VideoState {
    READY = 1,
    /** It is being made into something that plays everywhere; until then only its author sees it, as it was uploaded. */
    PROCESSING = 2,
    /** That can't be done; only its author sees it. */
    FAILED = 3,
}

/** A form of a video, beside others. */
struct Rendition {
    /** In pixels, as viewed. */
    1: required i32 height,
    /** Bits a second. */
    2: required i32 bit_rate,
    /** As play_url. */
    3: required string url,
}

struct Video {
    1: required i64 id,
    2: required i64 author_id,
    3: required string title,
    /** Signed, time-limited, at the object store's public address. */
    4: required string play_url,
    5: required string cover_url,
    /** Unique among all videos; UTC. 0: it isn't ready. */
    6: required i64 published_ms,
    /** These two as of the last fold, some seconds ago, unless the reply has counts of authors; the favorite and comment services have the exact ones. */
    7: required i64 favorite_count,
    8: required i64 comment_count,
    /** Absent: from a service of a version in which every video was READY. */
    9: optional VideoState state,
    /** Of the processing, in percent. */
    10: optional i32 progress,
    /** Why it is FAILED, in words. */
    11: optional string reason,
    /** Small, for grids; absent: there is none. */
    12: optional string small_cover_url,
    /** In pixels, as viewed. */
    13: optional i32 width,
    14: optional i32 height,
    15: optional i64 duration_ms,
    /** The forms to choose from, the highest first; absent: play_url alone. */
    16: optional list<Rendition> renditions,
    /** When it was uploaded; UTC. */
    17: optional i64 created_ms,
}

struct FeedRequest {
    /** Only videos published strictly before this time; absent: no bound. */
    1: optional i64 before_ms (vt.ge = "0"),
    2: required i32 limit (vt.ge = "1", vt.le = "30"),
}

struct FeedResponse {
    /** Newest first. */
    1: required list<Video> videos,
    /** Where there are no videos: a time after every publish so far, by the clock that stamps them; absent when that clock can't be asked. */
    2: optional i64 now_ms,
    /**
     * author id -> counts, exact, and then those of the videos are exact, too; empty while they can't be read. Absent: from a service of a
     * version that doesn't send them.
     */
    3: optional map<i64, base.UserCounts> author_counts,
}

struct FollowingFeedRequest {
    /** Of these alone. */
    1: required list<i64> author_ids (vt.max_size = "5000", vt.elem.ge = "1"),
    /** As of the feed. */
    2: optional i64 before_ms (vt.ge = "0"),
    3: required i32 limit (vt.ge = "1", vt.le = "30"),
}

struct ListByAuthorRequest {
    1: required i64 author_id (vt.ge = "1"),
    /** The last page's `next_before`; absent: from the newest. */
    2: optional i64 before (vt.ge = "1"),
    3: required i32 limit (vt.ge = "1", vt.le = "300"),
    /** Whether the author asks: then with the videos that aren't READY. */
    4: optional bool is_own,
}

struct ListByAuthorResponse {
    /** Newest first: in the order of their ids. */
    1: required list<Video> videos,
    2: required bool has_more,
    /** A place in this order, whatever becomes of the video that stood there; absent: nothing follows. */
    3: optional i64 next_before,
    /**
     * author id -> counts, exact, and then those of the videos are exact, too; empty while they can't be read. Absent: from a service of a
     * version that doesn't send them.
     */
    4: optional map<i64, base.UserCounts> author_counts,
}

struct MGetVideosRequest {
    1: required list<i64> video_ids (vt.min_size = "1", vt.max_size = "300", vt.elem.ge = "1"),
    /** Who asks for a single video: its author gets it also when it isn't READY. */
    2: optional i64 viewer_id (vt.ge = "1"),
}

struct MGetVideosResponse {
    /** In no particular order; an id that names no READY video is left out. */
    1: required list<Video> videos,
}

struct MGetAuthorsRequest {
    1: required list<i64> video_ids (vt.min_size = "1", vt.max_size = "300", vt.elem.ge = "1"),
}

struct MGetAuthorsResponse {
    /** video id -> author id; an id that names no READY video is left out. */
    1: required map<i64, i64> author_ids,
}

/** How the bytes will arrive: in one PUT, or in the parts of a multipart upload. */
enum UploadKind {
    SINGLE = 1,
    MULTIPART = 2,
}

/** The container formats that are accepted; decides the object's fixed content type. */
enum Container {
    MP4 = 1,
    QUICKTIME = 2,
    WEBM = 3,
    MATROSKA = 4,
}

struct BeginUploadRequest {
    1: required i64 author_id (vt.ge = "1"),
    2: required UploadKind kind (vt.defined_only = "true"),
    3: required Container container (vt.defined_only = "true"),
}

struct BeginUploadResponse {
    /** Where the bytes go; made by the service, recorded before it is told to anybody. */
    1: required string object_key,
    /** Of the multipart upload; absent for SINGLE. */
    2: optional string upload_id,
}

struct PublishRequest {
    1: required i64 author_id (vt.ge = "1"),
    /** As begin_upload gave it, now holding the whole file. */
    2: required string object_key (vt.min_size = "1", vt.max_size = "100"),
    3: required string title (vt.min_rune_size = "1", vt.max_rune_size = "100"),
    /** What was sent to the store, for the check that the object is whole. */
    4: required i64 size_bytes (vt.ge = "1"),
    /** Lower-case hex. */
    5: required string sha256 (vt.pattern = "^[0-9a-f]{64}$"),
    /** The client's: the same key by the same author gives the first result, for 24 h. */
    6: optional string idempotency_key (vt.pattern = "^[!-~]{1,255}$"),
}

struct PublishResponse {
    1: required i64 video_id,
    /** When the service took it; UTC. The publish time is this or later. */
    2: required i64 published_ms,
}

struct AbortUploadRequest {
    1: required i64 author_id (vt.ge = "1"),
    2: required string object_key (vt.min_size = "1", vt.max_size = "100"),
}

struct AbortUploadResponse {
}

struct DeleteVideoRequest {
    /** Who asks: only the author may. */
    1: required i64 user_id (vt.ge = "1"),
    2: required i64 video_id (vt.ge = "1"),
}

struct DeleteVideoResponse {
}

struct TakeDownVideoRequest {
    1: required i64 video_id (vt.ge = "1"),
    /** The operator's, for the log. */
    2: required string reason (vt.min_rune_size = "1", vt.max_rune_size = "500"),
}

struct TakeDownVideoResponse {
}

struct ForgetAuthorRequest {
    /** Of a user that is deleted for good. */
    1: required i64 user_id (vt.ge = "1"),
}

struct ForgetAuthorResponse {
    /** Whether videos are left for the next call. */
    1: required bool has_more,
}

service VideoService {
    // 2 s: a read by index takes milliseconds; the rest is for a busy machine. The next three are such reads, too.
    FeedResponse feed(1: FeedRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    /** The newest videos of many authors. Costs a step in an index for each author, whatever they have published. */
    // 3 s: up to 5,000 such steps.
    FeedResponse following_feed(1: FollowingFeedRequest req) (call.deadline_ms = "3000", call.retry = "true"),
    /** Sees every acknowledged publish, whoever asks. */
    // 2 s: as feed.
    ListByAuthorResponse list_by_author(1: ListByAuthorRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    /** Sees every acknowledged publish. */
    MGetVideosResponse mget_videos(1: MGetVideosRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    /** Whether videos exist, and whose they are: read on the primary, for it decides writes. Never changes for a video. */
    MGetAuthorsResponse mget_authors(1: MGetAuthorsRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    /** Records key and upload id in a row, so that a killed upload can be found. */
    // 4 s: a write outlasts the semi-sync timeout of 1 s. No retry: it would begin a second upload.
    BeginUploadResponse begin_upload(1: BeginUploadRequest req) (call.deadline_ms = "4000", call.retry = "false"),
    /**
     * Probes the object, makes what viewers get of it or leaves that to a job, takes its cover, stores the row. TOO_MANY_REQUESTS when too
     * many videos of the author aren't READY. On any refusal nothing of the upload stays behind. Not idempotent, but with a key:
     * then it may be repeated with the same title and bytes (another upload of them); with others it is IDEMPOTENCY_KEY_REUSED.
     */
    // 90 s: probing, taking the cover and storing the row; ffmpeg has its own, shorter limits. No retry: see above.
    PublishResponse publish(1: PublishRequest req) (call.deadline_ms = "90000", call.retry = "false"),
    /** Removes what an upload left: object, parts, row. Idempotent. */
    // 4 s: as begin_upload.
    AbortUploadResponse abort_upload(1: AbortUploadRequest req) (call.deadline_ms = "4000", call.retry = "true"),
    /**
     * NO_SUCH_VIDEO; NOT_YOURS. When it returns nobody likes or comments on the video any more, and only another viewer's feed page from a replica
     * that lags may still show it, for mysql.max_lag_s at most. Likes, comments and objects go at once where they are few, else soon. A failure
     * may have deleted it: a repeat says so, by a success or NO_SUCH_VIDEO.
     */
    // 9 s: the row, then the two services that keep what refers to it. Retry: a repeat goes on with what the first has begun.
    DeleteVideoResponse delete_video(1: DeleteVideoRequest req) (call.deadline_ms = "9000", call.retry = "true"),
    /** The same for an operator, whoever's the video is. */
    // 9 s: as delete_video.
    TakeDownVideoResponse take_down_video(1: TakeDownVideoRequest req) (call.deadline_ms = "9000", call.retry = "true"),
    /** Lets a user publish no more, and begins to delete what they have published, as much as there is time for. Idempotent. */
    // 5 s: it works for a second at most, and then ends the video that it is at.
    ForgetAuthorResponse forget_author(1: ForgetAuthorRequest req) (call.deadline_ms = "5000", call.retry = "true"),
}
