//! Clients who like, unlike, comment and look, at random and at once, and tell the reference what came of it.

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

use crate::{
    reference::{Pair, Reference},
    scene::{Film, Scene, Size},
};

/// Users and films that half of the likes are between, so that operations meet on the same pair.
const FANS: usize = 6;
const HITS: usize = 3;
/// A refusal comes at once: without a rest most operations would be of the moments when a service is away.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(300);

/// Works until [`Crowd::finish`].
pub struct Crowd {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    scene: Scene,
    size: Size,
    reference: Mutex<Reference>,
    /// Comments that are there and that nobody is deleting.
    comments: Mutex<Vec<Written>>,
    texts: AtomicUsize,
    is_over: AtomicBool,
}

#[derive(Clone)]
struct Written {
    id: i64,
    text: String,
    film: Film,
    writer: usize,
}

impl Crowd {
    pub fn start(system: &System, scene: Scene, size: Size) -> Self {
        let shared = Arc::new(Shared {
            scene,
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
                    let rest = shared.size.rest.mul_f64(rand::random());
                    tokio::time::sleep(rest).await;
                }
            });
        }
        Self { shared, clients }
    }

    pub fn has_done_enough(&self) -> bool {
        self.shared.reference().operations >= self.shared.size.operations
    }

    /// What was done, when all of it is answered or given up. A client that saw what must never be panics here.
    pub async fn finish(mut self) -> Reference {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
        std::mem::take(&mut *self.shared.reference())
    }
}

/// What came of an operation.
enum Outcome {
    Done(Value),
    /// An outcome of the contract.
    Refused(i64),
    /// It may or may not have happened.
    Unknown,
}

impl Shared {
    async fn act(&self, client: &Client) {
        match random_range(0..100) {
            0..30 => self.set(client, true).await,
            30..55 => self.set(client, false).await,
            55..70 => self.comment(client).await,
            70..80 => self.delete(client).await,
            80..83 => self.delete_anothers(client).await,
            _ => self.look(client).await,
        }
    }

    fn reference(&self) -> MutexGuard<'_, Reference> {
        self.reference.lock().unwrap()
    }

    fn user(&self) -> usize {
        random_range(0..self.scene.users.len())
    }

    fn film(&self) -> Film {
        self.scene.films[random_range(0..self.scene.films.len())]
    }

    fn account(&self, user: usize) -> &Account {
        &self.scene.users[user]
    }

    /// Counts an operation and judges its answer.
    async fn outcome(&self, reply: Reply) -> Outcome {
        assert_no_negative_count(&reply.body);
        self.reference().operations += 1;
        match (reply.http, reply.try_code()) {
            (200, Some(0)) => Outcome::Done(reply.body),
            (200, Some(code)) => Outcome::Refused(code),
            (0 | 500.., _) => {
                let what = format!("HTTP {} {}", reply.http, reply.text);
                self.reference().unanswered.push(what);
                tokio::time::sleep(REST_AFTER_FAILURE).await;
                Outcome::Unknown
            }
            _ => panic!("HTTP {} {}", reply.http, reply.text),
        }
    }

    async fn set(&self, client: &Client, liked: bool) {
        let (mut user, mut film) = (self.user(), self.film());
        if rand::random() {
            (user, film) = (user % FANS, self.scene.films[random_range(0..HITS)]);
        }
        let Account { token, user_id, .. } = self.account(user);
        let pair = (*user_id, film.id);
        let number = self.reference().begin(pair, liked);
        let reply = match liked {
            true => client.like(token, film.id).await,
            false => client.unlike(token, film.id).await,
        };
        match self.outcome(reply).await {
            Outcome::Done(_) => self.reference().answered(pair, number),
            Outcome::Unknown => return,
            Outcome::Refused(code) => panic!("liked = {liked} was refused: {code}"),
        }
        if rand::random() {
            self.look_at_likes(client, token, pair).await;
        }
    }

    /// The very next request shows what was answered, unless others are at the same pair.
    async fn look_at_likes(&self, client: &Client, token: &str, pair: Pair) {
        let start = Instant::now();
        let mut states = self.reference().states(pair);
        let reply = client.favorite_list(&[("token", token)]).await;
        assert_no_negative_count(&reply.body);
        let mut reference = self.reference();
        states.extend(reference.begun_since(pair, start));
        if let Some(list) = reply.body["video_list"].as_array() {
            let is_liked = list.iter().any(|video| video["id"] == pair.1);
            if !states.contains(&is_liked) {
                let what = format!("{pair:?} was shown as liked = {is_liked} after its answer");
                reference.contradicted.push(what);
            }
        }
    }

    async fn comment(&self, client: &Client) {
        let (writer, film) = (self.user(), self.film());
        let number = self.texts.fetch_add(1, Ordering::Relaxed);
        let text = format!("评论 {number}");
        let reply = client
            .comment(&self.account(writer).token, film.id, &text)
            .await;
        let id = match self.outcome(reply).await {
            Outcome::Done(body) => Some(body["comment"]["id"].as_i64().unwrap()),
            Outcome::Unknown => None,
            Outcome::Refused(code) => panic!("a comment was refused: {code}"),
        };
        let mut reference = self.reference();
        reference.comment(text.clone(), film.id, id);
        if let Some(id) = id {
            self.comments.lock().unwrap().push(Written {
                id,
                text,
                film,
                writer,
            });
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
            film,
            writer,
        } = written;
        let by = if rand::random() { writer } else { film.author };
        let reply = client
            .delete_comment(&self.account(by).token, film.id, id)
            .await;
        let is_answered = match self.outcome(reply).await {
            Outcome::Done(_) => true,
            Outcome::Unknown => false,
            Outcome::Refused(code) => panic!("the deletion of {id} {text} was refused: {code}"),
        };
        self.reference().deleted(&text, is_answered);
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
        if by == written.writer || by == written.film.author {
            return;
        }
        let token = &self.account(by).token;
        let reply = client
            .delete_comment(token, written.film.id, written.id)
            .await;
        match self.outcome(reply).await {
            // Its writer may have been faster.
            Outcome::Refused(10008 | 10009) | Outcome::Unknown => {}
            Outcome::Refused(code) => panic!("the deletion of another's comment: {code}"),
            Outcome::Done(_) => panic!("another's comment was deleted: {}", written.text),
        }
    }

    /// Whatever is shown: no count is below 0.
    async fn look(&self, client: &Client) {
        let Account { token, user_id, .. } = self.account(self.user());
        let reply = match random_range(0..5) {
            0 => client.feed(&[("token", token)]).await,
            1 => client.user(*user_id, token).await,
            2 => {
                let author = self.account(self.film().author);
                client.works(author.user_id).await
            }
            3 => client.comments(self.film().id).await,
            _ => client.favorite_list(&[("token", token)]).await,
        };
        assert_no_negative_count(&reply.body);
    }
}

/// Walks a reply: whatever its shape, a count is 0 or more.
fn assert_no_negative_count(value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(assert_no_negative_count),
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_count = name.ends_with("_count") || name == "total_favorited";
                assert!(!is_count || value.as_i64() >= Some(0), "{name} = {value}");
                assert_no_negative_count(value);
            }
        }
        _ => {}
    }
}
