//! The primary is down or hangs: reads go on, and writes are refused with `Retry-After`; one that was sent before the primary hung may time
//! out. Everything recovers soon after it returns.

use std::time::{Duration, Instant};

use futures::future::join_all;
use testkit::{Account, Client, Reply, eventually, media};

use crate::faulty::Faulty;

/// By when everything works after the primary is back: a write that was sent before may take its own deadline of 5 s, on a busy machine more
/// than that. The time is printed.
const WELL_AGAIN: Duration = Duration::from_secs(30);
/// By when a request is answered, whatever is away: `http.request_timeout_ms`, which is 10 s, and a publish has its own; and what a busy
/// machine adds.
const ANSWERED: Duration = Duration::from_secs(15);
/// How long it is away, with reads all the time.
const AWAY: Duration = Duration::from_secs(4);
/// By when every process has polled the replica again and knows how late it is: the period of the polls, four times.
const POLLED: Duration = Duration::from_secs(1);

/// A user with a video that has a like and a comment.
struct Scene {
    account: Account,
    video_id: i64,
}

impl Scene {
    async fn make(client: &Client) -> Self {
        let account = client.new_account().await;
        let token = &account.token;
        client.publish(token, "A walk", media::mp4()).await.ok();
        let works = client.works(account.user_id).await.ok();
        let video_id = works["video_list"][0]["id"].as_i64().unwrap();
        client.like(token, video_id).await.ok();
        client.comment(token, video_id, "好").await.ok();
        Self { account, video_id }
    }

    /// Everything that is read, by whoever wrote it and by a stranger.
    async fn reads(&self, client: &Client) -> Vec<(&'static str, Reply)> {
        let Account { token, user_id, .. } = &self.account;
        let id = user_id.to_string();
        vec![
            ("feed", client.feed(&[]).await),
            ("own feed", client.feed(&[("token", token)]).await),
            ("own works", client.publish_list(&[("token", token)]).await),
            (
                "friends",
                client.relation_list("friend", &[("token", token)]).await,
            ),
            ("works", client.works(*user_id).await),
            ("user", client.user(*user_id, token).await),
            ("comments", client.comments(self.video_id).await),
            ("likes", client.favorite_list(&[("user_id", &id)]).await),
        ]
    }

    /// Everything that is written, all at once; and a login, which is decided on the primary.
    async fn writes(&self, client: &Client) -> Vec<(&'static str, Reply, Duration)> {
        let Account {
            token,
            name,
            password,
            ..
        } = &self.account;
        let timed = async |what, reply: futures::future::BoxFuture<'_, Reply>| {
            let start = Instant::now();
            (what, reply.await, start.elapsed())
        };
        let (new, id) = (format!("new-{}", rand::random::<u32>()), self.video_id);
        let unlike_and_like = async {
            let reply = client.unlike(token, id).await;
            if reply.http == 200 {
                return client.like(token, id).await;
            }
            reply
        };
        join_all([
            timed("like", Box::pin(unlike_and_like)),
            timed("comment", Box::pin(client.comment(token, id, "好"))),
            timed("register", Box::pin(client.register(&new, password))),
            timed("login", Box::pin(client.login(name, password))),
            timed(
                "publish",
                Box::pin(client.publish(token, "A walk", media::mp4())),
            ),
        ])
        .await
    }
}

#[tokio::test]
async fn reads_go_on_and_writes_are_refused_until_the_primary_is_back() {
    let faulty = Faulty::start().await;
    let client = faulty.api.clone();
    eventually(Duration::from_secs(30), "a healthy system", async || {
        let reply = client.get("/readyz", &[]).await;
        (reply.body["state"] == "up").then_some(())
    })
    .await;
    let scene = Scene::make(&client).await;
    for hangs in [false, true] {
        // What no replica has yet can't be read while the primary is away.
        faulty.system.database().replicas_caught_up().await;
        let caught_up = Instant::now();
        while caught_up.elapsed() < POLLED {
            for (what, reply) in scene.reads(&client).await {
                assert_eq!(reply.code(), 0, "{what}: {}", reply.text);
            }
        }
        if hangs {
            faulty.primary.stall();
        } else {
            faulty.primary.shut();
        }
        let away = Instant::now();
        let reads = async {
            while away.elapsed() < AWAY {
                for (what, reply) in scene.reads(&client).await {
                    let fault = format!("{what}, hangs: {hangs}, {:?}", away.elapsed());
                    assert_eq!(
                        (reply.http, reply.try_code()),
                        (200, Some(0)),
                        "{fault}: {}",
                        reply.text
                    );
                }
            }
        };
        let ((), writes) = tokio::join!(reads, scene.writes(&client));
        for (what, reply, took) in writes {
            println!("hangs: {hangs}, {what}: {} after {took:?}", reply.http);
            assert!(took < ANSWERED, "{what}: {took:?}");
            match reply.http {
                503 => assert_eq!(reply.headers["retry-after"], "1", "{what}"),
                // It was sent, and nobody knows what became of it.
                504 if hangs => {}
                _ => panic!("{what}, hangs: {hangs}: {} {}", reply.http, reply.text),
            }
        }
        faulty.primary.open();
        let back = Instant::now();
        eventually(WELL_AGAIN, "everything to work again", async || {
            let writes = scene.writes(&client).await;
            let all = writes
                .iter()
                .all(|(_, reply, _)| reply.try_code() == Some(0));
            all.then_some(())
        })
        .await;
        println!("hangs: {hangs}: well again after {:?}", back.elapsed());
    }
}
