//! The users and videos that a workload works on.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use testkit::{Account, System, media};

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Writes at least: likes, follows, comments, messages, and ends of them.
    pub operations: usize,
    /// Accounts.
    pub users: usize,
    /// Videos.
    pub videos: usize,
    /// Requests at once.
    pub clients: usize,
    /// The longest that a client rests between two operations.
    pub think_time: Duration,
}

/// A published video.
#[derive(Debug, Clone, Copy)]
pub struct PublishedVideo {
    /// Its id.
    pub id: i64,
    /// Index of the author.
    pub author: usize,
}

/// Where a workload acts.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// All of them; the first few have published the videos.
    pub users: Vec<Account>,
    /// In the order of their ids.
    pub videos: Vec<PublishedVideo>,
}

/// Users who publish; the rest only watches.
const AUTHORS: usize = 4;

impl Fixture {
    /// Registers and publishes by HTTP, a few at once.
    pub async fn make(system: &System, size: &Size) -> Self {
        let client = &system.client();
        let users = stream::iter(0..size.users)
            .map(|_| client.new_account())
            .buffered(8)
            .collect::<Vec<_>>()
            .await;
        let video = media::mp4();
        let published = stream::iter(0..size.videos).map(|n| {
            let token = &users[n % AUTHORS].token;
            client.publish(token, "A video", video.clone())
        });
        let replies: Vec<_> = published.buffer_unordered(2).collect().await;
        replies.into_iter().for_each(|reply| drop(reply.ok()));
        let mut videos = Vec::new();
        for (author, account) in users.iter().enumerate().take(AUTHORS) {
            let works = client.works(account.user_id).await.ok();
            for work in works["video_list"].as_array().unwrap() {
                let id = work["id"].as_i64().unwrap();
                videos.push(PublishedVideo { id, author });
            }
        }
        assert_eq!(videos.len(), size.videos);
        videos.sort_by_key(|video| video.id);
        Self { users, videos }
    }
}
