//! A user who writes and reads the write back in three ways. The writer knows what each read must show.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use chaos::history::Fixture;
use rand::{random_range, seq::SliceRandom as _};
use serde_json::Value;
use testkit::{Account, Client, Reply, media};

/// Of all writes.
const WRITES: usize = 10_000;
const REGISTERS: usize = 100;
const PUBLISHES: usize = 50;

#[derive(Debug, Clone, Copy)]
enum Write {
    Register,
    Publish,
    Like,
    Comment,
}

struct PublishedVideo {
    id: i64,
    author_id: i64,
    /// Comments that were acknowledged; none is ever deleted.
    comments: AtomicI64,
}

/// What all writers share.
pub struct Work {
    size: usize,
    todo: Mutex<Vec<Write>>,
    videos: Mutex<Vec<Arc<PublishedVideo>>>,
    names: AtomicUsize,
    pairs: AtomicUsize,
    reads: AtomicUsize,
    failed: Mutex<Vec<String>>,
    stale: Mutex<Vec<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic holds it")
}

impl Work {
    /// `percent` of all writes, in any order.
    pub fn new(fixture: &Fixture, percent: usize) -> Self {
        let part = |count: usize| count * percent / 100;
        let (registers, publishes) = (part(REGISTERS), part(PUBLISHES));
        let likes = (part(WRITES) - registers - publishes) / 2;
        let comments = part(WRITES) - registers - publishes - likes;
        let mut todo = [
            vec![Write::Register; registers],
            vec![Write::Publish; publishes],
            vec![Write::Like; likes],
            vec![Write::Comment; comments],
        ]
        .concat();
        todo.shuffle(&mut rand::rng());
        let videos = fixture.videos.iter().map(|video| {
            Arc::new(PublishedVideo {
                id: video.id,
                author_id: fixture.users[video.author].user_id,
                comments: AtomicI64::new(0),
            })
        });
        Self {
            size: todo.len(),
            todo: Mutex::new(todo),
            videos: Mutex::new(videos.collect()),
            names: AtomicUsize::new(0),
            pairs: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            failed: Mutex::default(),
            stale: Mutex::default(),
        }
    }

    pub fn is_half_done(&self) -> bool {
        locked(&self.todo).len() * 2 <= self.size
    }

    /// Writes that were answered and looked at; the looks.
    pub fn counts(&self) -> (usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        (count(&self.pairs), count(&self.reads))
    }

    /// Requests without an answer that a client can use.
    pub fn failed(&self) -> Vec<String> {
        locked(&self.failed).clone()
    }

    /// Looks that lacked what was acknowledged.
    pub fn stale(&self) -> Vec<String> {
        locked(&self.stale).clone()
    }

    fn video(&self) -> Arc<PublishedVideo> {
        let videos = locked(&self.videos);
        videos[random_range(0..videos.len())].clone()
    }

    /// A name that nothing else has.
    fn name(&self, what: &str) -> String {
        format!("{what} {}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// The body of a success.
    fn written(&self, what: &str, reply: Reply) -> Option<Value> {
        if (reply.http, reply.try_code()) == (200, Some(0)) {
            return Some(reply.body);
        }
        locked(&self.failed).push(format!("{what}: HTTP {} {}", reply.http, reply.text));
        None
    }

    /// A look at what surely exists: whether it shows what it must.
    fn saw(&self, what: &str, reply: Reply, shows: impl Fn(&Value) -> bool) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        match (reply.http, reply.try_code()) {
            (200, Some(0)) if shows(&reply.body) => {}
            // An outcome of the contract says that something isn't there.
            (200, Some(_)) => {
                let shown: String = reply.text.chars().take(600).collect();
                locked(&self.stale).push(format!("{what}: {shown}"));
            }
            _ => locked(&self.failed).push(format!("{what}: HTTP {} {}", reply.http, reply.text)),
        }
    }
}

/// An account at work.
pub struct Writer {
    work: Arc<Work>,
    account: Account,
    client: Client,
    /// Somebody else's connections.
    stranger: Client,
    /// By video; gone when an answer is missing.
    likes: BTreeMap<i64, Option<bool>>,
}

impl Writer {
    pub fn new(work: Arc<Work>, account: Account, client: Client, stranger: Client) -> Self {
        Self {
            work,
            account,
            client,
            stranger,
            likes: BTreeMap::new(),
        }
    }

    /// Writes as long as there is anything to do.
    pub async fn run(mut self) {
        loop {
            let Some(write) = locked(&self.work.todo).pop() else {
                return;
            };
            let done = match write {
                Write::Register => self.register().await,
                Write::Publish => self.publish().await,
                Write::Like => self.like().await,
                Write::Comment => self.comment().await,
            };
            if done.is_some() {
                self.work.pairs.fetch_add(1, Ordering::Relaxed);
            }
            // What nothing has marked.
            let feed = self.stranger.feed(&[]).await;
            self.work.saw("a stranger's feed", feed, |feed| {
                has(feed, "video_list", |_| true)
            });
        }
    }

    async fn register(&self) -> Option<()> {
        let Self {
            work,
            client,
            stranger,
            ..
        } = self;
        let (name, password) = (work.name("user"), "correct horse");
        let body = work.written("register", client.register(&name, password).await)?;
        let id = body["user_id"].as_i64()?;
        let token = body["token"].as_str()?;
        let reply = client.user(id, token).await;
        work.saw("user after register", reply, |user| {
            user["user"]["name"] == *name
        });
        let reply = stranger.login(&name, password).await;
        work.saw("login after register", reply, |user| user["user_id"] == id);
        let video = work.video();
        self.comment_by(&video, token, &name).await
    }

    async fn publish(&self) -> Option<()> {
        let Self {
            work,
            account,
            client,
            stranger,
            ..
        } = self;
        let (title, token) = (work.name("video"), account.token.as_str());
        let published = client.publish(token, &title, media::mp4()).await;
        work.written("publish", published)?;
        let is_it =
            |shown: &Value| shown["title"] == *title && shown["author"]["id"] == account.user_id;
        let mine = client.publish_list(&[("token", token)]).await;
        let id = mine.body["video_list"]
            .as_array()
            .and_then(|works| works.iter().find(|work| is_it(work))?["id"].as_i64());
        work.saw("own works after publish", mine, |works| {
            has(works, "video_list", is_it)
        });
        let works = stranger.works(account.user_id).await;
        work.saw("works after publish", works, |works| {
            has(works, "video_list", is_it)
        });
        let feed = client.feed(&[("token", token)]).await;
        work.saw("own feed after publish", feed, |feed| {
            has(feed, "video_list", is_it)
        });
        // As a list that refers to it.
        let id = id?;
        work.written("like of a new video", client.like(token, id).await)?;
        let user_id = account.user_id.to_string();
        let liked = stranger.favorite_list(&[("user_id", &user_id)]).await;
        work.saw("likes after publish", liked, |liked| {
            has(liked, "video_list", is_it)
        });
        let unliked = client.unlike(token, id).await;
        work.written("unlike of a new video", unliked)?;
        locked(&work.videos).push(Arc::new(PublishedVideo {
            id,
            author_id: account.user_id,
            comments: AtomicI64::new(0),
        }));
        Some(())
    }

    async fn like(&mut self) -> Option<()> {
        let video = self.work.video();
        let liked = match self.likes.get(&video.id) {
            Some(None) => return None,
            Some(Some(liked)) => !liked,
            None => true,
        };
        let Self {
            work,
            account,
            client,
            stranger,
            likes,
        } = self;
        let token = account.token.as_str();
        likes.insert(video.id, None);
        match liked {
            true => work.written("like", client.like(token, video.id).await)?,
            false => work.written("unlike", client.unlike(token, video.id).await)?,
        };
        likes.insert(video.id, Some(liked));
        let is_it = |shown: &Value| shown["id"] == video.id;
        let shows = |list: &Value| has(list, "video_list", is_it) == liked;
        let mine = client.favorite_list(&[("token", token)]).await;
        work.saw("own likes after a like", mine, shows);
        let user_id = account.user_id.to_string();
        let theirs = stranger.favorite_list(&[("user_id", &user_id)]).await;
        work.saw("likes after a like", theirs, shows);
        let author_id = video.author_id.to_string();
        let query = [("user_id", author_id.as_str()), ("token", token)];
        let works = client.publish_list(&query).await;
        work.saw("works after a like", works, |works| {
            has(works, "video_list", |shown| {
                is_it(shown) && shown["is_favorite"] == liked
            })
        });
        Some(())
    }

    async fn comment(&self) -> Option<()> {
        let video = self.work.video();
        let Account { token, name, .. } = &self.account;
        self.comment_by(&video, token, name).await
    }

    /// The writer may be new.
    async fn comment_by(&self, video: &PublishedVideo, token: &str, writer: &str) -> Option<()> {
        let Self {
            work,
            client,
            stranger,
            ..
        } = self;
        let reply = client.comment(token, video.id, &work.name("说")).await;
        let body = work.written("comment", reply)?;
        let id = body["comment"]["id"].as_i64()?;
        let at_least = video.comments.fetch_add(1, Ordering::Relaxed) + 1;
        let is_it = |comment: &Value| comment["id"] == id && comment["user"]["name"] == *writer;
        let shows = |list: &Value| has(list, "comment_list", is_it);
        let video_id = video.id.to_string();
        let query = [("token", token), ("video_id", video_id.as_str())];
        let mine = client.comment_list(&query).await;
        work.saw("own look after a comment", mine, shows);
        let theirs = stranger.comments(video.id).await;
        work.saw("look after a comment", theirs, shows);
        let works = stranger.works(video.author_id).await;
        work.saw("works after a comment", works, |works| {
            has(works, "video_list", |shown| {
                shown["id"] == video.id && shown["comment_count"].as_i64() >= Some(at_least)
            })
        });
        Some(())
    }
}

/// Whether the list has such an entry.
fn has(body: &Value, list: &str, is_it: impl Fn(&Value) -> bool) -> bool {
    let list = body[list].as_array();
    list.is_some_and(|list| list.iter().any(is_it))
}
