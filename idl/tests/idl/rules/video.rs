//! The methods and rules of video.thrift: a valid request of each method, and both sides of each rule.

use idl::{Rule, video::*};
use volo_thrift::{ClientError, ServerError};

use super::{
    edges::{Edge, at_least, bytes, chars, edge, ids, many_ids, not_empty, page_size, repeat_key},
    servers::{Clients, Handler, Rpc, interface, text},
};

interface! {
    VideoService video {
        feed(FeedRequest { before_ms: None, limit: 1 }) -> FeedResponse;
        following_feed(FollowingFeedRequest { author_ids: vec![], before_ms: None, limit: 1 }) -> FeedResponse;
        list_by_author(ListByAuthorRequest { author_id: 1, before: None, limit: 1, is_own: None })
            -> ListByAuthorResponse;
        mget_videos(MGetVideosRequest { video_ids: vec![1], viewer_id: None }) -> MGetVideosResponse;
        mget_authors(MGetAuthorsRequest { video_ids: vec![1] }) -> MGetAuthorsResponse;
        begin_upload(BeginUploadRequest { author_id: 1, kind: UploadKind::SINGLE, container: Container::MP4 })
            -> BeginUploadResponse;
        publish(PublishRequest {
            author_id: 1,
            object_key: text("k", 1),
            title: text("t", 1),
            size_bytes: 1,
            sha256: text("0", 64),
            idempotency_key: None,
        }) -> PublishResponse;
        abort_upload(AbortUploadRequest { author_id: 1, object_key: text("k", 1) }) -> AbortUploadResponse;
        delete_video(DeleteVideoRequest { user_id: 1, video_id: 1 }) -> DeleteVideoResponse;
        take_down_video(TakeDownVideoRequest { video_id: 1, reason: text("r", 1) }) -> TakeDownVideoResponse;
        forget_author(ForgetAuthorRequest { user_id: 1 }) -> ForgetAuthorResponse;
    }
}

/// Every rule of the file.
pub fn edges() -> Vec<Edge> {
    let videos = |r: &mut MGetVideosRequest, v| r.video_ids = v;
    let authors = |r: &mut MGetAuthorsRequest, v| r.video_ids = v;
    let mut all = vec![
        at_least("before_ms", 0, |r: &mut FeedRequest, v| {
            r.before_ms = Some(v)
        }),
        at_least("before_ms", 0, |r: &mut FollowingFeedRequest, v| {
            r.before_ms = Some(v)
        }),
        at_least("author_id", 1, |r: &mut ListByAuthorRequest, v| {
            r.author_id = v
        }),
        at_least("before", 1, |r: &mut ListByAuthorRequest, v| {
            r.before = Some(v)
        }),
        at_least("viewer_id", 1, |r: &mut MGetVideosRequest, v| {
            r.viewer_id = Some(v)
        }),
        not_empty("video_ids", videos),
        not_empty("video_ids", authors),
        at_least("author_id", 1, |r: &mut BeginUploadRequest, v| {
            r.author_id = v
        }),
        edge(
            "kind",
            Rule::DefinedOnly,
            UploadKind::MULTIPART,
            0.into(),
            |r: &mut BeginUploadRequest, v| r.kind = v,
        ),
        edge(
            "container",
            Rule::DefinedOnly,
            Container::MATROSKA,
            5.into(),
            |r: &mut BeginUploadRequest, v| r.container = v,
        ),
        at_least("author_id", 1, |r: &mut PublishRequest, v| r.author_id = v),
        at_least("size_bytes", 1, |r: &mut PublishRequest, v| {
            r.size_bytes = v
        }),
        edge(
            "sha256",
            Rule::Pattern,
            text("f", 64),
            text("F", 64),
            |r: &mut PublishRequest, v| r.sha256 = v,
        ),
        repeat_key(|r: &mut PublishRequest, v| r.idempotency_key = Some(v)),
        at_least("author_id", 1, |r: &mut AbortUploadRequest, v| {
            r.author_id = v
        }),
        at_least("user_id", 1, |r: &mut DeleteVideoRequest, v| r.user_id = v),
        at_least("video_id", 1, |r: &mut DeleteVideoRequest, v| {
            r.video_id = v
        }),
        at_least("video_id", 1, |r: &mut TakeDownVideoRequest, v| {
            r.video_id = v
        }),
        at_least("user_id", 1, |r: &mut ForgetAuthorRequest, v| r.user_id = v),
    ];
    all.extend(chars(
        "reason",
        1,
        500,
        |r: &mut TakeDownVideoRequest, v| r.reason = v,
    ));
    all.extend(page_size(30, |r: &mut FeedRequest, v| r.limit = v));
    all.extend(page_size(300, |r: &mut ListByAuthorRequest, v| r.limit = v));
    all.extend(ids("video_ids", "video_ids[]", videos));
    all.extend(ids("video_ids", "video_ids[]", authors));
    all.extend(bytes("object_key", 100, |r: &mut PublishRequest, v| {
        r.object_key = v
    }));
    all.extend(chars("title", 1, 100, |r: &mut PublishRequest, v| {
        r.title = v
    }));
    all.extend(bytes("object_key", 100, |r: &mut AbortUploadRequest, v| {
        r.object_key = v
    }));
    all.extend(page_size(30, |r: &mut FollowingFeedRequest, v| r.limit = v));
    all.extend(many_ids(
        "author_ids",
        "author_ids[]",
        5000,
        |r: &mut FollowingFeedRequest, v| r.author_ids = v,
    ));
    all
}
