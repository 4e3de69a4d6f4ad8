//! How methods are called, as clients see it.

use std::time::Duration;

use idl::{
    Call, CallPolicy,
    video::{
        FeedRequest, PublishRequest, VideoServiceFeedArgsSend, VideoServicePublishArgsSend,
        VideoServiceRequestSend,
    },
};

/// What the .thrift file says of a method, read as text.
fn written(method: &str) -> CallPolicy {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/video.thrift");
    let text = std::fs::read_to_string(file).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains(&format!(" {method}(1:")))
        .unwrap();
    let value = |key: &str| {
        let (_, rest) = line.split_once(&format!("{key} = \"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    CallPolicy {
        deadline: Duration::from_millis(value("call.deadline_ms").parse().unwrap()),
        retry: value("call.retry").parse().unwrap(),
    }
}

#[test]
fn a_request_knows_the_policy_of_its_method() {
    let feed = VideoServiceRequestSend::Feed(VideoServiceFeedArgsSend {
        req: FeedRequest::default(),
    });
    let publish = VideoServiceRequestSend::Publish(VideoServicePublishArgsSend {
        req: PublishRequest::default(),
    });
    assert_eq!(feed.policy(), written("feed"));
    assert_eq!(publish.policy(), written("publish"));
    assert_ne!(feed.policy(), publish.policy());
}
