//! What a request costs each part, in milliseconds of a core: what scripts/deploy/README.md reckons with. Processor time doesn't depend on
//! what else the machine does, so one machine is enough for all parts.
//!
//! Wants the servers of the tests; starts a system of its own, with production's work factor of passwords. About a minute.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use testkit::{Account, Client, Reply, System, environment, media};
use tokio::task::JoinSet;

/// Of each kind of request.
const TIME: Duration = Duration::from_secs(5);
/// Clients that ask as soon as they are answered: so many that commits are shared, as under load.
const CLIENTS: usize = 32;
/// And of what is dear: more of them would be refused.
const FEW_CLIENTS: usize = 4;
const VIDEOS: usize = 30;
const UPLOAD: usize = 8 << 20;
const SERVICES: [&str; 5] = ["api", "user", "video", "favorite", "comment"];
const SERVERS: [&str; 4] = ["primary", "replica", "redis", "s3"];
/// Of the kernel's counts of processor time, on every architecture that Linux runs on today.
const TICKS_PER_S: f64 = 100.0;
/// Where `/proc/<pid>/stat` has user and system time, its own and that of children it has waited for, counted from behind the name.
const TIMES: std::ops::Range<usize> = 11..15;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Feed,
    UserPage,
    Comments,
    Like,
    Comment,
    Login,
    Upload,
}

const KINDS: [(Kind, &str); 7] = [
    (Kind::Feed, "feed page of 30"),
    (Kind::UserPage, "user page"),
    (Kind::Comments, "comment list"),
    (Kind::Like, "like"),
    (Kind::Comment, "comment"),
    (Kind::Login, "login"),
    (Kind::Upload, "publish of 8 MiB"),
];

struct Scene {
    account: Account,
    /// One for each client.
    likers: Vec<Account>,
    videos: Vec<i64>,
    file: Vec<u8>,
}

#[tokio::main]
async fn main() {
    let system = System::builder()
        .set("auth.bcrypt_cost", 12)
        .set("mysql.max_connections", 32)
        .start()
        .await;
    let scene = Arc::new(scene(&system.client()).await);
    println!(
        "| ms of a core | requests | {} | {} |",
        SERVICES.join(" | "),
        SERVERS.join(" | ")
    );
    println!("|---|---|{}", "---|".repeat(SERVICES.len() + SERVERS.len()));
    for (kind, name) in KINDS {
        let (before, asked) = (spent(&system), run(&system, &scene, kind).await);
        let each = before.iter().zip(spent(&system));
        let each = each.map(|(before, after)| 1000.0 * (after - before) / f64::from(asked));
        let each: Vec<_> = each.map(|ms| format!("{ms:.2}")).collect();
        println!("| {name} | {asked} | {} |", each.join(" | "));
    }
}

async fn scene(client: &Client) -> Scene {
    let account = client.new_account().await;
    let mut likers = Vec::new();
    for _ in 0..CLIENTS {
        likers.push(client.new_account().await);
    }
    for n in 0..VIDEOS {
        let title = format!("Film {n}");
        let published = client.publish(&account.token, &title, media::mp4());
        published.await.ok();
    }
    let page = client.feed(&[]).await.ok();
    let videos = page["video_list"].as_array().unwrap().iter();
    let videos: Vec<_> = videos.map(|video| video["id"].as_i64().unwrap()).collect();
    for video in &videos {
        for n in 0..10 {
            let text = format!("Comment {n}");
            client.comment(&account.token, *video, &text).await.ok();
        }
    }
    Scene {
        account,
        likers,
        videos,
        file: media::mp4_of_size(UPLOAD),
    }
}

/// Asks for a while; how often.
async fn run(system: &System, scene: &Arc<Scene>, kind: Kind) -> u32 {
    // What came before is over: a fold, a replica that caught up.
    tokio::time::sleep(testkit::FOLD_PERIOD * 2).await;
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    let count = match kind {
        Kind::Login | Kind::Upload => FEW_CLIENTS,
        _ => CLIENTS,
    };
    for number in 0..count {
        let (client, scene) = (system.client(), scene.clone());
        clients.spawn(async move {
            let (liker, mut turn) = (&scene.likers[number], 0);
            while begun.elapsed() < TIME {
                ask(&client, &scene, kind, liker, turn).await.ok();
                turn += 1;
            }
            turn
        });
    }
    let asked: usize = clients.join_all().await.into_iter().sum();
    u32::try_from(asked).unwrap()
}

async fn ask(client: &Client, scene: &Scene, kind: Kind, liker: &Account, turn: usize) -> Reply {
    let of = |n: usize| scene.videos[n % scene.videos.len()];
    let Account { token, user_id, .. } = &scene.account;
    match kind {
        Kind::Feed => client.feed(&[("token", token)]).await,
        Kind::UserPage => client.user(*user_id, token).await,
        Kind::Comments => client.comments(of(turn)).await,
        // Each changes something: a like, and in the next turn its end.
        Kind::Like if turn.is_multiple_of(2) => client.like(&liker.token, of(turn / 2)).await,
        Kind::Like => client.unlike(&liker.token, of(turn / 2)).await,
        Kind::Comment => client.comment(token, of(turn), "How nice!").await,
        Kind::Login => client.login(&liker.name, &liker.password).await,
        Kind::Upload => client.publish(token, "A film", scene.file.clone()).await,
    }
}

/// Seconds of processor time so far, by part.
fn spent(system: &System) -> Vec<f64> {
    let service = |name| {
        let instances = system.instances(name).iter();
        instances.map(|process| seconds(process.pid())).sum()
    };
    let server = |name| {
        let file = environment::servers().join(name).join("pid");
        let pid = std::fs::read_to_string(file).expect("a pid file");
        seconds(pid.trim().parse().expect("a pid"))
    };
    let services = SERVICES.into_iter().map(service);
    services.chain(SERVERS.into_iter().map(server)).collect()
}

fn seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let fields: Vec<_> = fields.split(' ').collect();
    let ticks = fields[TIMES].iter().map(|field| field.parse::<f64>());
    ticks.map(|ticks| ticks.expect("a number")).sum::<f64>() / TICKS_PER_S
}
