//! Checks what remains after all publishes and one pass of the reaper: one playable video for each publish, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use testkit::{Client, System, media};

use crate::{report::Report, testbed::Testbed};

/// What a client wants to have published.
pub struct Publish {
    pub title: String,
    /// The attempts that it took; or why it was given up.
    pub outcome: Result<usize, String>,
}

pub struct Leftovers {
    /// Publishes that weren't answered, or that have no video.
    without: Vec<String>,
    doubled: Vec<String>,
    /// Videos of the feed whose URLs don't give what was published.
    unplayable: Vec<String>,
    /// Objects and unfinished uploads that no row knows.
    in_store: Vec<String>,
    /// Rows of uploads that are neither published nor taken back.
    in_uploads: Vec<String>,
}

impl Leftovers {
    pub async fn find(bed: &Testbed, publishes: &[Publish]) -> Self {
        let system = &bed.system;
        let (database, bucket) = (system.database(), system.bucket());
        let mut of_title: BTreeMap<String, usize> = BTreeMap::new();
        for title in database.column("SELECT title FROM videos").await {
            *of_title.entry(title).or_default() += 1;
        }
        let without = publishes.iter().filter_map(|one| match &one.outcome {
            Err(why) => Some(format!("{}: {why}", one.title)),
            Ok(_) if of_title.contains_key(&one.title) => None,
            Ok(attempts) => Some(format!("{}: no row after {attempts} attempts", one.title)),
        });
        let doubled = of_title.iter().filter(|(_, rows)| **rows > 1);
        let keys = "SELECT object_key FROM videos UNION ALL SELECT cover_key FROM videos \
            UNION ALL SELECT REPLACE(cover_key, '.jpg', '.small.jpg') FROM videos WHERE has_small_cover \
            UNION ALL SELECT CONCAT(SUBSTRING_INDEX(object_key, '.', 1), '.small.mp4') FROM videos WHERE small_height > 0";
        let known: BTreeSet<String> = database.column(keys).await.into_iter().collect();
        let objects = bucket.keys().await.into_iter();
        // Pictures of users are there as soon as somebody sees them.
        let objects = objects.filter(|key| !known.contains(key) && !key.starts_with("pictures/"));
        let parts = bucket.open_uploads().await.into_iter();
        Self {
            without: without.collect(),
            doubled: doubled
                .map(|(title, rows)| format!("{title}: {rows}"))
                .collect(),
            unplayable: unplayable(system).await,
            in_store: objects.chain(parts).collect(),
            in_uploads: database.column("SELECT object_key FROM uploads").await,
        }
    }

    /// None of it may be.
    pub fn judge(self, report: &mut Report) {
        report.must_be_empty("without a video", self.without);
        report.must_be_empty("doubled", self.doubled);
        report.must_be_empty("not playable", self.unplayable);
        report.must_be_empty("left in the store", self.in_store);
        report.must_be_empty("left in uploads", self.in_uploads);
    }
}

/// As columns of the table.
impl fmt::Display for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = [
            &self.without,
            &self.doubled,
            &self.unplayable,
            &self.in_store,
            &self.in_uploads,
        ];
        let columns = columns.map(|column| column.len().to_string());
        f.write_str(&columns.join(" | "))
    }
}

/// Pages through the feed and fetches everything on it.
pub async fn unplayable(system: &System) -> Vec<String> {
    let client = system.client();
    let (mut found, mut shown) = (Vec::new(), 0);
    let mut latest_time = String::new();
    loop {
        let page = client.feed(&[("latest_time", &latest_time)]).await.ok();
        let videos = page["video_list"].as_array().expect("a list of videos");
        if videos.is_empty() {
            break;
        }
        latest_time = page["next_time"].to_string();
        shown += videos.len();
        for video in videos {
            let url = |name: &str| video[name].as_str().expect("a URL").to_owned();
            let plays = fetched(&client, &url("play_url"))
                .await
                .is_some_and(|video| media::has_index_in_front(&video) && video.len() > 1000);
            let cover = fetched(&client, &url("cover_url")).await;
            let is_jpeg = cover.is_some_and(|cover| cover.starts_with(&[0xFF, 0xD8]));
            if !plays || !is_jpeg {
                found.push(format!("plays: {plays}, has a cover: {is_jpeg}: {video}"));
            }
        }
    }
    let rows: i64 = system.database().value("SELECT COUNT(*) FROM videos").await;
    if rows != shown as i64 {
        found.push(format!("the feed shows {shown} of {rows} videos"));
    }
    found
}

async fn fetched(client: &Client, url: &str) -> Option<Vec<u8>> {
    let (status, _, bytes) = client.fetch(url, None).await;
    (status == 200).then_some(bytes)
}
