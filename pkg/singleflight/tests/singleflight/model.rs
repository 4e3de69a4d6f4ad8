//! Writers, marks and two replicas, one of them late, in random orders. A shared read must be at least as fresh as a read of the caller's
//! own that begins at the same moment.
//!
//! Everything happens in steps that a seed decides, so a failure is repeated by its seed.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use singleflight::Singleflight;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::PATIENT;

const INTERLEAVINGS: u64 = 10_000;
const STEPS: usize = 40;
const PAGES: usize = 2;
const USERS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Subject {
    Page(usize),
    User(usize),
}

/// The servers. A position is how many commits there are up to it.
#[derive(Default)]
struct World {
    committed: usize,
    /// A page is read on the replica of its number.
    applied: [usize; PAGES],
    marks: HashMap<Subject, usize>,
    /// Commits that aren't marked yet, hence not acknowledged.
    unmarked: Vec<(usize, [Subject; 2])>,
    /// Readers that wait at a step of theirs.
    waiting: Vec<oneshot::Sender<()>>,
    flights: [usize; PAGES],
    running: [usize; PAGES],
}

/// What a flight saw.
#[derive(Debug, Clone, Copy)]
struct Seen {
    position: usize,
    flight: usize,
}

/// Who reads a page, and the least that they must be shown.
struct Reader {
    page: usize,
    least: usize,
    flights_before: usize,
    task: JoinHandle<Seen>,
}

type Flights = Singleflight<usize, BTreeSet<usize>, Seen>;

impl World {
    fn marked(&self, subject: Subject) -> usize {
        self.marks.get(&subject).copied().unwrap_or_default()
    }

    /// What must be seen of a page by these users.
    fn demanded(&self, page: usize, users: impl IntoIterator<Item = usize>) -> usize {
        let users = users.into_iter().map(Subject::User);
        let subjects = users.chain([Subject::Page(page)]);
        subjects.map(|subject| self.marked(subject)).max().unwrap()
    }

    /// Where a read ends that must see this: on the page's replica, or on the primary.
    fn position(&self, page: usize, demanded: usize) -> usize {
        match self.applied[page] {
            applied if applied >= demanded => applied,
            _ => self.committed,
        }
    }
}

/// A reader gets to its next step when the seed says so.
async fn step(world: &Mutex<World>) {
    let (go, gone) = oneshot::channel();
    world.lock().unwrap().waiting.push(go);
    gone.await.unwrap();
}

/// One read of a page for all who joined: first their marks, then the page.
async fn read(world: Arc<Mutex<World>>, page: usize, users: BTreeSet<usize>) -> Seen {
    let flight = {
        let mut world = world.lock().unwrap();
        world.flights[page] += 1;
        world.running[page] += 1;
        assert_eq!(world.running[page], 1, "one flight of a key at a time");
        world.flights[page]
    };
    step(&world).await;
    let demanded = world.lock().unwrap().demanded(page, users);
    step(&world).await;
    let position = world.lock().unwrap().position(page, demanded);
    step(&world).await;
    world.lock().unwrap().running[page] -= 1;
    Seen { position, flight }
}

fn arrive(random: &mut StdRng, world: &Arc<Mutex<World>>, flights: &Flights) -> Reader {
    let (page, user) = (random.random_range(0..PAGES), random.random_range(0..USERS));
    let (least, flights_before) = {
        let world = world.lock().unwrap();
        // What the replica has already, and what is marked: later a read of one's own could only show more.
        let least = world.demanded(page, [user]).max(world.applied[page]);
        (least, world.flights[page])
    };
    let (world, flights) = (world.clone(), flights.clone());
    let task = tokio::spawn(async move {
        let read = move |users| read(world, page, users);
        flights
            .join(page, BTreeSet::from([user]), read)
            .await
            .unwrap()
    });
    Reader {
        page,
        least,
        flights_before,
        task,
    }
}

/// One event of the world; which, the seed decides.
fn happen(random: &mut StdRng, world: &Mutex<World>) {
    let mut world = world.lock().unwrap();
    match random.random_range(0..10) {
        0 | 1 => {
            world.committed += 1;
            let page = Subject::Page(random.random_range(0..PAGES));
            let user = Subject::User(random.random_range(0..USERS));
            let commit = world.committed;
            world.unmarked.push((commit, [page, user]));
        }
        2 | 3 if !world.unmarked.is_empty() => {
            let at = random.random_range(0..world.unmarked.len());
            let (commit, subjects) = world.unmarked.swap_remove(at);
            for subject in subjects {
                let mark = world.marks.entry(subject).or_default();
                *mark = commit.max(*mark);
            }
        }
        // The first replica is in time, as a rule; the other moves once in a while.
        4 => world.applied[0] = world.committed,
        5 if random.random_bool(0.1) => world.applied[1] = world.committed,
        _ => proceed(random, &mut world),
    }
}

fn proceed(random: &mut StdRng, world: &mut World) {
    if !world.waiting.is_empty() {
        let at = random.random_range(0..world.waiting.len());
        // One whose readers have all gone isn't there any more.
        let _ = world.waiting.swap_remove(at).send(());
    }
}

async fn all_are_polled() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

async fn interleaving(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let world = Arc::new(Mutex::new(World::default()));
    let flights = Flights::new(PATIENT);
    let mut readers = Vec::new();
    for _ in 0..STEPS {
        match random.random_range(0..10) {
            0..=3 => readers.push(arrive(&mut random, &world, &flights)),
            _ => happen(&mut random, &world),
        }
        all_are_polled().await;
    }
    while readers.iter().any(|reader| !reader.task.is_finished()) {
        proceed(&mut random, &mut world.lock().unwrap());
        all_are_polled().await;
    }
    for reader in readers {
        let Reader {
            page,
            least,
            flights_before,
            task,
        } = reader;
        let seen = task.await.unwrap();
        assert!(
            seen.position >= least,
            "seed {seed}: page {page} at {}, and {least} was acknowledged or there before",
            seen.position
        );
        // Not one that had begun before, and the next one at the latest.
        assert_eq!(seen.flight, flights_before + 1, "seed {seed}");
    }
    all_are_polled().await;
    assert_eq!(flights.keys(), 0, "seed {seed}");
}

#[test]
fn nobody_is_shown_less_than_by_a_read_of_their_own_in_10_000_interleavings() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        for seed in 0..INTERLEAVINGS {
            interleaving(seed).await;
        }
    });
}
