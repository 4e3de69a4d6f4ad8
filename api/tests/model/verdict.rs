//! Judges what is there when all is over: rows against the reference, counts against rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use serde_json::Value;
use testkit::{FOLD_PERIOD, Process, System};
use tokio::time::Instant;

use crate::{reference::Reference, scene::Scene};

/// By then every count must be that of the rows.
const RIGHT_WITHIN: Duration = FOLD_PERIOD.saturating_mul(2);
/// How long counts are looked at, to tell how late they are when they are too late.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(30);
/// How long `reconcile` may take.
const RECONCILE_LIMIT: Duration = Duration::from_secs(60);

/// What was found.
pub struct Verdict {
    operations: usize,
    unanswered: usize,
    /// What isn't there though it was acknowledged, and counts below their rows when given up.
    lost: Vec<String>,
    /// What is there twice, and counts above their rows when given up.
    doubled: Vec<String>,
    /// From the last write on; `None`: still wrong when given up.
    right_after: Option<Duration>,
    /// What `reconcile` says of it.
    differences: Option<String>,
}

/// Counts by what they are of: ("video", id) -> likes, comments; ("user", id) -> likes received, likes given, works.
type Counts = BTreeMap<(&'static str, i64), Vec<i64>>;

impl Verdict {
    pub async fn of(
        system: &System,
        scene: &Scene,
        reference: &Reference,
        last_write: Instant,
    ) -> Self {
        let (right_after, wrong) = right_after(system, scene, last_write).await;
        let told = |is_above: bool| -> Vec<String> {
            let kind = wrong.iter().filter(|count| count.is_above == is_above);
            kind.map(|count| count.what.clone()).collect()
        };
        let (above, below) = (told(true), told(false));
        let database = system.database();
        let numbers = |row: String| -> Vec<i64> {
            let words = row.split(' ').map(|word| word.parse().unwrap());
            words.collect()
        };
        let pairs = "SELECT CONCAT(user_id, ' ', video_id) FROM favorites";
        let pairs = database.column(pairs).await.into_iter().map(numbers);
        let liked = pairs.map(|row| (row[0], row[1])).collect();
        let rows = "SELECT CONCAT(id, ' ', video_id, '|', content) FROM comments";
        let rows: Vec<String> = database.column(rows).await;
        let rows = rows.into_iter().map(|row| {
            let (ids, text) = row.split_once('|').unwrap();
            let ids = numbers(ids.to_owned());
            (text.to_owned(), (ids[0], ids[1]))
        });
        let (wrong_comments, doubled) = reference.wrong_comments(&rows.collect::<Vec<_>>());

        let reconcile = Process::workspace_binary("reconcile", system.variables());
        let is_equal = reconcile.ended(RECONCILE_LIMIT).await.success();
        Self {
            operations: reference.operations,
            unanswered: reference.unanswered.len(),
            lost: [
                reference.contradicted.clone(),
                reference.wrong_pairs(&liked),
                wrong_comments,
                below,
            ]
            .concat(),
            doubled: [doubled, above].concat(),
            right_after,
            differences: (!is_equal).then(|| reconcile.tail()),
        }
    }

    /// A row of the table.
    pub fn row(&self, fault: &str) -> String {
        let Self {
            operations,
            unanswered,
            ..
        } = self;
        let (lost, doubled) = (self.lost.len(), self.doubled.len());
        let right = match &self.right_after {
            Some(time) => format!("{:.1} s", time.as_secs_f64()),
            None => "never".to_owned(),
        };
        format!("| {fault} | {operations} | {unanswered} | {lost} | {doubled} | {right} |")
    }

    pub fn assert_good(&self) {
        assert!(self.lost.is_empty(), "lost: {:#?}", self.lost);
        assert!(self.doubled.is_empty(), "doubled: {:#?}", self.doubled);
        let right = self.right_after.is_some_and(|time| time <= RIGHT_WITHIN);
        assert!(right, "counts right after {:?}", self.right_after);
        if let Some(differences) = &self.differences {
            panic!("{differences}");
        }
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
    scene: &Scene,
    last_write: Instant,
) -> (Option<Duration>, Vec<WrongCount>) {
    loop {
        let began = last_write.elapsed();
        let wrong = differences(&of_rows(system).await, &shown(system, scene).await);
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
        ' ', (SELECT COUNT(*) FROM videos WHERE author_id = users.id)) FROM users";
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
async fn shown(system: &System, scene: &Scene) -> Counts {
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
    let users = stream::iter(&scene.users)
        .map(async |account| client.user(account.user_id, &account.token).await.ok())
        .buffer_unordered(8)
        .collect::<Vec<Value>>()
        .await;
    for reply in users {
        let user = &reply["user"];
        let names = ["total_favorited", "favorite_count", "work_count"];
        let of_user = names.map(|name| number(&user[name]));
        counts.insert(("user", number(&user["id"])), of_user.to_vec());
    }
    counts
}
