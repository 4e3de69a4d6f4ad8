//! Who is there: users, and films by some of them.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use testkit::{Account, System, media};

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub operations: usize,
    pub users: usize,
    pub videos: usize,
    /// Requests at once.
    pub clients: usize,
    /// The longest that a client rests between two operations.
    pub rest: Duration,
}

impl Size {
    /// Full size by `make soak`; otherwise small, for all tests share the machine.
    pub fn of_this_run() -> Self {
        match std::env::var_os("DOUSHENG_SOAK") {
            Some(_) => Self {
                operations: 10_000,
                users: 200,
                videos: 50,
                clients: 32,
                rest: Duration::from_millis(1),
            },
            None => Self {
                operations: 600,
                users: 20,
                videos: 8,
                clients: 8,
                rest: Duration::from_millis(60),
            },
        }
    }
}

/// A published video.
#[derive(Debug, Clone, Copy)]
pub struct Film {
    pub id: i64,
    /// Index of the author.
    pub author: usize,
}

#[derive(Debug, Clone)]
pub struct Scene {
    pub users: Vec<Account>,
    pub films: Vec<Film>,
}

/// Users who publish; the rest only watches.
const AUTHORS: usize = 4;

impl Scene {
    /// Registers and publishes by HTTP, a few at once.
    pub async fn make(system: &System, size: &Size) -> Self {
        let client = &system.client();
        let users = stream::iter(0..size.users)
            .map(|_| client.new_account())
            .buffered(8)
            .collect::<Vec<_>>()
            .await;
        let film = media::mp4();
        let published = stream::iter(0..size.videos).map(|n| {
            let token = &users[n % AUTHORS].token;
            client.publish(token, "A film", film.clone())
        });
        let replies: Vec<_> = published.buffer_unordered(2).collect().await;
        replies.into_iter().for_each(|reply| drop(reply.ok()));
        let mut films = Vec::new();
        for (author, account) in users.iter().enumerate().take(AUTHORS) {
            let works = client.works(account.user_id).await.ok();
            for work in works["video_list"].as_array().unwrap() {
                let id = work["id"].as_i64().unwrap();
                films.push(Film { id, author });
            }
        }
        assert_eq!(films.len(), size.videos);
        films.sort_by_key(|film| film.id);
        Self { users, films }
    }
}
