//! Clients that like, follow, comment, write to each other and read at random, all at once, and record each request in the reference model.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rand::random_range;
use serde_json::Value;
use testkit::{Account, Client, Reply, System};
use tokio::task::JoinSet;

use super::{
    fixture::{Fixture, PublishedVideo, Size},
    reference::{Answer, Link, Operation, Pair, Reference, Violation},
};

/// Users and videos that half of the likes are between, so that operations meet on the same pair.
const FANS: usize = 6;
const HITS: usize = 3;
/// A refusal comes at once: without a rest most operations would be of the moments when a service is away.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(300);

/// Works until [`Workload::finish`].
#[derive(Debug)]
pub struct Workload {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    fixture: Fixture,
    size: Size,
    reference: Mutex<Reference>,
    /// Comments that are there and that nobody is deleting.
    comments: Mutex<Vec<Written>>,
    texts: AtomicUsize,
    is_over: AtomicBool,
}

#[derive(Debug, Clone)]
struct Written {
    id: i64,
    text: String,
    video: PublishedVideo,
    writer: usize,
}

impl Workload {
    /// As many clients as `size` says begin at once.
    pub fn start(system: &System, fixture: Fixture, size: Size) -> Self {
        let shared = Arc::new(Shared {
            fixture,
            size,
            reference: Mutex::default(),
            comments: Mutex::default(),
            texts: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let mut clients = JoinSet::new();
        for _ in 0..size.clients {
            let (shared, client) = (shared.clone(), system.client());
            clients.spawn(async move {
                while !shared.is_over.load(Ordering::Relaxed) {
                    shared.act(&client).await;
                    let think_time = shared.size.think_time.mul_f64(rand::random());
                    tokio::time::sleep(think_time).await;
                }
            });
        }
        Self { shared, clients }
    }

    /// Whether as many writes were done as `size` asks for: likes, follows, comments, ends of them, and messages.
    pub fn has_done_enough(&self) -> bool {
        self.shared.reference().writes() >= self.shared.size.operations
    }

    /// What was done, when all of it is answered or given up.
    pub async fn finish(mut self) -> Reference {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
        std::mem::take(&mut *self.shared.reference())
    }
}

impl Shared {
    async fn act(&self, client: &Client) {
        match random_range(0..100) {
            0..20 => self.like(client, true).await,
            20..37 => self.like(client, false).await,
            37..46 => self.follow(client, true).await,
            46..52 => self.follow(client, false).await,
            52..64 => self.comment(client).await,
            64..72 => self.delete(client).await,
            72..75 => self.delete_anothers(client).await,
            75..82 => self.message(client).await,
            _ => self.read_something(client).await,
        }
    }

    fn reference(&self) -> MutexGuard<'_, Reference> {
        self.reference.lock().unwrap()
    }

    fn user(&self) -> usize {
        random_range(0..self.fixture.users.len())
    }

    fn video(&self) -> PublishedVideo {
        self.fixture.videos[random_range(0..self.fixture.videos.len())]
    }

    fn account(&self, user: usize) -> &Account {
        &self.fixture.users[user]
    }

    async fn write(
        &self,
        what: &'static str,
        request: impl Future<Output = Reply>,
    ) -> Result<Value, Option<i64>> {
        self.send(what, true, request).await
    }

    async fn read(
        &self,
        what: &'static str,
        request: impl Future<Output = Reply>,
    ) -> Option<Value> {
        self.send(what, false, request).await.ok()
    }

    /// Notes a request and what came of it: the body of a success, the code of a refusal, or nothing.
    async fn send(
        &self,
        what: &'static str,
        is_write: bool,
        request: impl Future<Output = Reply>,
    ) -> Result<Value, Option<i64>> {
        let began = Instant::now();
        let reply = request.await;
        let answer = match (reply.http, reply.try_code()) {
            (200, Some(0)) => Answer::Done,
            (200, Some(code)) => Answer::Refused(code),
            (0 | 500.., _) => Answer::Failed(format!("HTTP {} {}", reply.http, reply.text)),
            _ => panic!("{what}: HTTP {} {}", reply.http, reply.text),
        };
        let result = match &answer {
            Answer::Done => Ok(reply.body),
            Answer::Refused(code) => Err(Some(*code)),
            Answer::Failed(_) => Err(None),
        };
        {
            let mut reference = self.reference();
            if let (false, Answer::Refused(code)) = (is_write, &answer) {
                let what = format!("{what}: {code}, though what it asks for exists");
                reference.stale.push(Violation::now(what));
            }
            reference.history.push(Operation {
                what,
                is_write,
                began,
                ended: Instant::now(),
                answer,
            });
            if let Some(count) = result.as_ref().ok().and_then(negative_count) {
                let what = format!("{what}: {count}");
                reference.denied.push(Violation::now(what));
            }
        }
        if result == Err(None) {
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        }
        result
    }

    fn denied(&self, what: String) {
        self.reference().denied.push(Violation::now(what));
    }

    async fn like(&self, client: &Client, is_there: bool) {
        let (mut user, mut video) = (self.user(), self.video());
        if rand::random() {
            (user, video) = (user % FANS, self.fixture.videos[random_range(0..HITS)]);
        }
        let Account { token, user_id, .. } = self.account(user);
        let pair = (Link::Like, *user_id, video.id);
        let request = async {
            match is_there {
                true => self.write("like", client.like(token, video.id)).await,
                false => self.write("unlike", client.unlike(token, video.id)).await,
            }
        };
        if self.set(pair, is_there, request).await {
            self.look_at_list(client, token, pair).await;
        }
    }

    async fn follow(&self, client: &Client, is_there: bool) {
        let (mut user, mut other) = (self.user(), self.user());
        if rand::random() {
            (user, other) = (user % FANS, other % HITS);
        }
        if user == other {
            return;
        }
        let Account { token, user_id, .. } = self.account(user);
        let other = self.account(other).user_id;
        let pair = (Link::Follow, *user_id, other);
        let request = async {
            match is_there {
                true => self.write("follow", client.follow(token, other)).await,
                false => self.write("unfollow", client.unfollow(token, other)).await,
            }
        };
        if self.set(pair, is_there, request).await {
            self.look_at_list(client, token, pair).await;
        }
    }

    /// Sends what makes a pair be there or not; whether to look at what came of it.
    async fn set(
        &self,
        pair: Pair,
        is_there: bool,
        request: impl Future<Output = Result<Value, Option<i64>>>,
    ) -> bool {
        let number = self.reference().begin(pair, is_there);
        match request.await {
            Ok(_) => self.reference().answered(pair, number),
            Err(None) => return false,
            Err(Some(code)) => {
                self.denied(format!("{pair:?}: there = {is_there} was refused: {code}"));
                return false;
            }
        }
        rand::random()
    }

    /// The very next request shows what was answered, unless others are at the same pair.
    async fn look_at_list(&self, client: &Client, token: &str, pair: Pair) {
        let start = Instant::now();
        let mut states = self.reference().states(pair);
        let query = [("token", token)];
        let (body, field) = match pair {
            (Link::Like, ..) => {
                let list = client.favorite_list(&query);
                (self.read("favorite list", list).await, "video_list")
            }
            (Link::Follow, ..) => {
                let list = client.relation_list("follow", &query);
                (self.read("follow list", list).await, "user_list")
            }
        };
        let mut reference = self.reference();
        states.extend(reference.begun_since(pair, start));
        if let Some(list) = body.as_ref().and_then(|body| body[field].as_array()) {
            let is_there = list.iter().any(|entry| entry["id"] == pair.2);
            if !states.contains(&is_there) {
                let what = format!("{pair:?} was shown as there = {is_there} after its answer");
                reference.stale.push(Violation::now(what));
            }
        }
    }

    async fn message(&self, client: &Client) {
        let (from, to) = (self.user() % FANS, self.user() % FANS);
        if from == to {
            return;
        }
        let (from, to) = (self.account(from), self.account(to));
        let number = self.texts.fetch_add(1, Ordering::Relaxed);
        let text = format!("消息 {number}");
        let send = client.send_message(&from.token, to.user_id, &text);
        let outcome = self.write("message", send).await;
        if let Err(Some(code)) = outcome {
            return self.denied(format!("a message was refused: {code}"));
        }
        let (users, is_answered) = ((from.user_id, to.user_id), outcome.is_ok());
        self.reference().sent(text.clone(), users, is_answered);
        if !is_answered || rand::random() {
            return;
        }
        // The one to whom it was sent sees it at once.
        let chat = client.chat(&to.token, from.user_id, None);
        let body = self.read("chat", chat).await;
        let list = body
            .as_ref()
            .and_then(|body| body["message_list"].as_array());
        if list.is_some_and(|list| !list.iter().any(|found| found["content"] == *text)) {
            let what = format!("{text} wasn't shown after its answer");
            self.reference().stale.push(Violation::now(what));
        }
    }

    async fn comment(&self, client: &Client) {
        let (writer, video) = (self.user(), self.video());
        let number = self.texts.fetch_add(1, Ordering::Relaxed);
        let text = format!("评论 {number}");
        let token = &self.account(writer).token;
        let outcome = self
            .write("comment", client.comment(token, video.id, &text))
            .await;
        let id = match &outcome {
            Ok(body) => Some(body["comment"]["id"].as_i64().unwrap()),
            Err(None) => None,
            Err(Some(code)) => {
                return self.denied(format!("a comment was refused: {code}"));
            }
        };
        self.reference().comment(text.clone(), video.id, id);
        let Some(id) = id else { return };
        // Nobody deletes it yet.
        if rand::random() {
            self.look_at_comments(client, video, id, true).await;
        }
        self.comments.lock().unwrap().push(Written {
            id,
            text,
            video,
            writer,
        });
    }

    /// Whether a comment is shown, to anybody, as it was answered.
    async fn look_at_comments(
        &self,
        client: &Client,
        video: PublishedVideo,
        id: i64,
        is_there: bool,
    ) {
        let body = self.read("comment list", client.comments(video.id)).await;
        let list = body
            .as_ref()
            .and_then(|body| body["comment_list"].as_array());
        if list.is_some_and(|list| list.iter().any(|found| found["id"] == id) != is_there) {
            let what = format!("comment {id} was shown as there = {}", !is_there);
            self.reference().stale.push(Violation::now(what));
        }
    }

    /// By its writer or by the video's author; each comment once.
    async fn delete(&self, client: &Client) {
        let written = {
            let mut comments = self.comments.lock().unwrap();
            if comments.is_empty() {
                return;
            }
            let n = random_range(0..comments.len());
            comments.swap_remove(n)
        };
        let Written {
            id,
            text,
            video,
            writer,
        } = written;
        let by = if rand::random() { writer } else { video.author };
        let token = &self.account(by).token;
        let deletion = client.delete_comment(token, video.id, id);
        match self.write("delete comment", deletion).await {
            Ok(_) => {
                self.reference().deleted(&text, true);
                if rand::random() {
                    self.look_at_comments(client, video, id, false).await;
                }
            }
            Err(None) => self.reference().deleted(&text, false),
            Err(Some(code)) => {
                self.denied(format!("the deletion of {id} {text} was refused: {code}"));
            }
        }
    }

    async fn delete_anothers(&self, client: &Client) {
        let written = {
            let comments = self.comments.lock().unwrap();
            if comments.is_empty() {
                return;
            }
            comments[random_range(0..comments.len())].clone()
        };
        let by = self.user();
        if by == written.writer || by == written.video.author {
            return;
        }
        let token = &self.account(by).token;
        let deletion = client.delete_comment(token, written.video.id, written.id);
        match self.write("delete another's comment", deletion).await {
            // Its writer may have been faster.
            Err(Some(10008 | 10009) | None) => {}
            Err(Some(code)) => {
                self.denied(format!("the deletion of another's comment: {code}"));
            }
            Ok(_) => self.denied(format!("another's comment was deleted: {}", written.text)),
        }
    }

    /// Whatever is shown: no count is below 0.
    async fn read_something(&self, client: &Client) {
        let Account { token, user_id, .. } = self.account(self.user());
        let query = [("token", token.as_str())];
        match random_range(0..8) {
            0 => self.read("feed", client.feed(&query)).await,
            1 => self.read("user", client.user(*user_id, token)).await,
            2 => {
                let author = self.account(self.video().author);
                self.read("works", client.works(author.user_id)).await
            }
            3 => {
                self.read("comment list", client.comments(self.video().id))
                    .await
            }
            4 => {
                let list = client.relation_list("follower", &query);
                self.read("follower list", list).await
            }
            5 => {
                let list = client.relation_list("friend", &query);
                self.read("friend list", list).await
            }
            6 => {
                let page = client.get("/douyin/feed/following/", &query);
                self.read("following feed", page).await
            }
            _ => {
                self.read("favorite list", client.favorite_list(&query))
                    .await
            }
        };
    }
}

/// Walks a reply: whatever its shape, a count is 0 or more.
fn negative_count(value: &Value) -> Option<String> {
    match value {
        Value::Array(values) => values.iter().find_map(negative_count),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let is_count = name.ends_with("_count") || name == "total_favorited";
            if is_count && value.as_i64() < Some(0) {
                return Some(format!("{name} = {value}"));
            }
            negative_count(value)
        }),
        _ => None,
    }
}
