//! Compares the rows with the reference model, and the shown counts with the rows, after a workload has ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use serde_json::Value;
use testkit::{Database, FOLD_PERIOD, Process, System};
use tokio::time::Instant;

use super::{
    fixture::Fixture,
    reference::{Link, Pair, Reference, Violation},
};

/// By then every count must be that of the rows.
const RIGHT_WITHIN: Duration = FOLD_PERIOD.saturating_mul(2);
/// How long counts are looked at, to tell how late they are when they are too late.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(30);
/// How long `reconcile` may take.
const RECONCILE_LIMIT: Duration = Duration::from_secs(60);

/// What was found.
#[derive(Debug)]
pub struct Verdict {
    /// What isn't there though it was acknowledged, and counts below their rows when given up.
    pub lost: Vec<String>,
    /// What is there twice, and counts above their rows when given up.
    pub doubled: Vec<String>,
    /// What was shown without something that had been answered before.
    pub stale: Vec<String>,
    /// When counts were right, from the last write on; `None`: still wrong when given up.
    pub right_after: Option<Duration>,
    /// What `reconcile` says of it.
    pub differences: Option<String>,
}

/// Counts by what they are of: ("video", id) -> likes, comments; ("user", id) -> likes received, likes given, works, follows, followers.
type Counts = BTreeMap<(&'static str, i64), Vec<i64>>;

impl Verdict {
    /// Looks at everything on the primary, and at what is shown.
    pub async fn of(
        system: &System,
        fixture: &Fixture,
        reference: &Reference,
        last_write: Instant,
    ) -> Self {
        let (right_after, wrong) = right_after(system, fixture, last_write).await;
        let told = |is_above: bool| -> Vec<String> {
            let kind = wrong.iter().filter(|count| count.is_above == is_above);
            kind.map(|count| count.what.clone()).collect()
        };
        let (above, below) = (told(true), told(false));
        let (wrong_rows, doubled) = Rows::on_primary(system.database()).await.against(reference);
        let reconcile = Process::workspace_binary("reconcile", system.variables());
        let is_equal = reconcile.ended(RECONCILE_LIMIT).await.success();
        Self {
            lost: [whats(&reference.denied), wrong_rows, below].concat(),
            doubled: [doubled, above].concat(),
            stale: whats(&reference.stale),
            right_after,
            differences: (!is_equal).then(|| reconcile.tail()),
        }
    }

    /// Looks at the replicas too, once they have everything that the primary has.
    pub async fn and_replicas(mut self, system: &System, reference: &Reference) -> Self {
        let database = system.database();
        database.replicas_caught_up().await;
        for n in 0..database.replicas() {
            let (wrong, doubled) = Rows::on_replica(database, n).await.against(reference);
            let named = |what: String| format!("on replica {}: {what}", n + 1);
            self.lost.extend(wrong.into_iter().map(named));
            self.doubled.extend(doubled.into_iter().map(named));
        }
        self
    }

    /// Panics with what is wrong.
    pub fn assert_good(&self) {
        assert!(self.lost.is_empty(), "lost: {:#?}", self.lost);
        assert!(self.doubled.is_empty(), "doubled: {:#?}", self.doubled);
        assert!(self.stale.is_empty(), "stale: {:#?}", self.stale);
        let right = self.right_after.is_some_and(|time| time <= RIGHT_WITHIN);
        assert!(right, "counts right after {:?}", self.right_after);
        if let Some(differences) = &self.differences {
            panic!("{differences}");
        }
    }
}

fn whats(wrong: &[Violation]) -> Vec<String> {
    wrong.iter().map(|wrong| wrong.what.clone()).collect()
}

/// What a server has.
struct Rows {
    /// Likes and follows.
    pairs: BTreeSet<Pair>,
    /// Text, id, video.
    comments: Vec<(String, (i64, i64))>,
    /// Text, by whom, to whom.
    messages: Vec<(String, (i64, i64))>,
}

const LIKES: &str = "SELECT CONCAT(user_id, ' ', video_id) FROM favorites";
const FOLLOWS: &str = "SELECT CONCAT(user_id, ' ', followed_id) FROM follows";
const MESSAGES: &str =
    "SELECT CONCAT(from_id, ' ', low_id + high_id - from_id, '|', content) FROM messages";
const COMMENTS: &str = "SELECT CONCAT(id, ' ', video_id, '|', content) FROM comments";

impl Rows {
    async fn on_primary(database: &Database) -> Self {
        Self::read(async |sql| database.column(sql).await).await
    }

    async fn on_replica(database: &Database, n: usize) -> Self {
        Self::read(async |sql| database.replica_column(n, sql).await).await
    }

    async fn read(column: impl AsyncFn(&'static str) -> Vec<String>) -> Self {
        let pair = |row: &str| -> (i64, i64) {
            let (first, second) = row.split_once(' ').unwrap();
            (first.parse().unwrap(), second.parse().unwrap())
        };
        let texts = |rows: Vec<String>| -> Vec<(String, (i64, i64))> {
            let parse = |row: &String| {
                let (ids, text) = row.split_once('|').unwrap();
                (text.to_owned(), pair(ids))
            };
            rows.iter().map(parse).collect()
        };
        let mut pairs = BTreeSet::new();
        for (link, sql) in [(Link::Like, LIKES), (Link::Follow, FOLLOWS)] {
            let rows = column(sql).await;
            let ids = rows.iter().map(|row| pair(row));
            pairs.extend(ids.map(|(whose, of)| (link, whose, of)));
        }
        Self {
            pairs,
            comments: texts(column(COMMENTS).await),
            messages: texts(column(MESSAGES).await),
        }
    }

    /// What isn't as it must be, and what is there twice.
    fn against(&self, reference: &Reference) -> (Vec<String>, Vec<String>) {
        let (mut wrong, mut doubled) = reference.wrong_comments(&self.comments);
        wrong.extend(reference.wrong_pairs(&self.pairs));
        let (lost, twice) = reference.wrong_messages(&self.messages);
        wrong.extend(lost);
        doubled.extend(twice);
        (wrong, doubled)
    }
}

/// Counts of one user or video that aren't those of the rows.
struct WrongCount {
    what: String,
    is_above: bool,
}

/// When, after the last write, a look began that saw every count right; what was wrong when that was given up.
async fn right_after(
    system: &System,
    fixture: &Fixture,
    last_write: Instant,
) -> (Option<Duration>, Vec<WrongCount>) {
    loop {
        let began = last_write.elapsed();
        let wrong = differences(&of_rows(system).await, &shown(system, fixture).await);
        if wrong.is_empty() {
            return (Some(began), wrong);
        } else if began > GIVEN_UP_AFTER {
            return (None, wrong);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn differences(rows: &Counts, shown: &Counts) -> Vec<WrongCount> {
    let keys: BTreeSet<_> = rows.keys().chain(shown.keys()).collect();
    let wrong = keys
        .into_iter()
        .filter(|key| rows.get(key) != shown.get(key));
    wrong
        .map(|key| {
            let (rows, shown) = (rows.get(key), shown.get(key));
            let mut pairs = rows.into_iter().flatten().zip(shown.into_iter().flatten());
            WrongCount {
                what: format!("{key:?}: shown {shown:?}, rows {rows:?}"),
                is_above: pairs.any(|(rows, shown)| shown > rows),
            }
        })
        .collect()
}

async fn of_rows(system: &System) -> Counts {
    let videos = "SELECT CONCAT(id, \
        ' ', (SELECT COUNT(*) FROM favorites WHERE video_id = videos.id), \
        ' ', (SELECT COUNT(*) FROM comments WHERE video_id = videos.id)) FROM videos";
    let users = "SELECT CONCAT(id, \
        ' ', (SELECT COUNT(*) FROM favorites JOIN videos ON videos.id = video_id WHERE videos.author_id = users.id), \
        ' ', (SELECT COUNT(*) FROM favorites WHERE user_id = users.id), \
        ' ', (SELECT COUNT(*) FROM videos WHERE author_id = users.id AND published_ms IS NOT NULL), \
        ' ', (SELECT COUNT(*) FROM follows WHERE user_id = users.id), \
        ' ', (SELECT COUNT(*) FROM follows WHERE followed_id = users.id)) FROM users";
    let mut counts = Counts::new();
    for (kind, sql) in [("video", videos), ("user", users)] {
        let rows: Vec<String> = system.database().column(sql).await;
        for row in rows {
            let mut numbers = row.split(' ').map(|word| word.parse::<i64>().unwrap());
            let id = numbers.next().unwrap();
            counts.insert((kind, id), numbers.collect());
        }
    }
    counts
}

/// As anybody sees them.
async fn shown(system: &System, fixture: &Fixture) -> Counts {
    let client = &system.client();
    let number = |value: &Value| value.as_i64().unwrap_or(-1);
    let mut counts = Counts::new();
    let mut latest_time = String::new();
    loop {
        let page = client.feed(&[("latest_time", &latest_time)]).await.ok();
        let videos = page["video_list"].as_array().unwrap();
        if videos.is_empty() {
            break;
        }
        latest_time = page["next_time"].to_string();
        for video in videos {
            let of_video = ["favorite_count", "comment_count"].map(|name| number(&video[name]));
            counts.insert(("video", number(&video["id"])), of_video.to_vec());
        }
    }
    let users = stream::iter(&fixture.users)
        .map(async |account| client.user(account.user_id, &account.token).await.ok())
        .buffer_unordered(8)
        .collect::<Vec<Value>>()
        .await;
    for reply in users {
        let user = &reply["user"];
        let names = [
            "total_favorited",
            "favorite_count",
            "work_count",
            "follow_count",
            "follower_count",
        ];
        let of_user = names.map(|name| number(&user[name]));
        counts.insert(("user", number(&user["id"])), of_user.to_vec());
    }
    counts
}
