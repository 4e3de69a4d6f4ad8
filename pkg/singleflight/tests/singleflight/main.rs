//! What a shared read guarantees: to one caller, to many, and in any order of events.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod model;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use singleflight::{Ended, Singleflight};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

/// Long enough to play no part.
const PATIENT: Duration = Duration::from_secs(3600);
/// What a test waits for at most.
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_crowd_shares_the_flight_after_the_one_that_runs() {
    let flights = Singleflight::<_, BTreeSet<u32>, _>::new(PATIENT);
    let (gate, started) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let join = |reader: u32| {
        let (flights, gate, started) = (flights.clone(), gate.clone(), started.clone());
        async move {
            let read = move |demand| async move {
                let flight = started.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                (flight, demand)
            };
            flights.join("page", BTreeSet::from([reader]), read).await
        }
    };
    let first = tokio::spawn(join(0));
    until(|| started.load(Ordering::SeqCst) == 1).await;
    let mut crowd: JoinSet<_> = (1..1000).map(&join).collect();
    let all_joined = async || {
        // Each is either aboard or hasn't been polled yet.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    };
    all_joined().await;
    assert_eq!(started.load(Ordering::SeqCst), 1);
    gate.add_permits(2);
    assert_eq!(first.await.unwrap(), Ok((0, BTreeSet::from([0]))));
    while let Some(result) = crowd.join_next().await {
        assert_eq!(result.unwrap(), Ok((1, (1..1000).collect())));
    }
    assert_eq!(flights.keys(), 0);
}

#[tokio::test]
async fn other_keys_fly_for_themselves() {
    let flights = Singleflight::<_, (), _>::new(PATIENT);
    let never = flights.join("stuck", (), |()| std::future::pending());
    let other = flights.join("page", (), |()| async { 7 });
    let other = timeout(DEADLINE, other);
    tokio::select! {
        _ = never => panic!("it never ends"),
        result = other => assert_eq!(result.unwrap(), Ok(7)),
    }
}

#[tokio::test]
async fn a_slow_flight_holds_up_the_next_one_for_a_moment_only_and_two_run_at_most() {
    let flights = Singleflight::<_, (), usize>::new(Duration::from_millis(20));
    let (gate, started) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let join = || {
        let (flights, gate, started) = (flights.clone(), gate.clone(), started.clone());
        tokio::spawn(async move {
            let read = move |()| async move {
                let flight = started.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                flight
            };
            flights.join("page", (), read).await
        })
    };
    let first = join();
    until(|| started.load(Ordering::SeqCst) == 1).await;
    let second = join();
    until(|| started.load(Ordering::SeqCst) == 2).await;
    // Both are slow, so the third waits until one of them ends.
    let third = join();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(started.load(Ordering::SeqCst), 2);
    gate.add_permits(3);
    for (flight, number) in [(first, 0), (second, 1), (third, 2)] {
        let result = timeout(DEADLINE, flight).await.unwrap();
        assert_eq!(result.unwrap(), Ok(number));
    }
    until(|| flights.keys() == 0).await;
}

#[tokio::test]
async fn who_gives_up_takes_the_flight_from_nobody_else() {
    let flights = Singleflight::<_, (), _>::new(PATIENT);
    let (gate, started) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let join = || {
        let (flights, gate, started) = (flights.clone(), gate.clone(), started.clone());
        tokio::spawn(async move {
            let read = move |()| async move {
                started.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                7
            };
            flights.join("page", (), read).await
        })
    };
    let running = join();
    until(|| started.load(Ordering::SeqCst) == 1).await;
    let (impatient, patient) = (join(), join());
    tokio::task::yield_now().await;
    running.abort();
    impatient.abort();
    // Nobody waits for the first flight any more, so it doesn't hold up the second.
    until(|| started.load(Ordering::SeqCst) == 2).await;
    gate.add_permits(1);
    let result = timeout(DEADLINE, patient).await.unwrap();
    assert_eq!(result.unwrap(), Ok(7));
    until(|| flights.keys() == 0).await;
}

#[tokio::test]
async fn a_panic_is_an_error_to_those_aboard_and_nothing_to_the_next() {
    let flights = Singleflight::<_, (), u32>::new(PATIENT);
    for _ in 0..2 {
        let broken = flights.join("page", (), |()| async { panic!("as the test wants it") });
        assert_eq!(broken.await, Err(Ended));
        let at_once = flights.join("page", (), |()| -> std::future::Ready<u32> {
            panic!("as the test wants it")
        });
        assert_eq!(at_once.await, Err(Ended));
        assert_eq!(flights.join("page", (), |()| async { 7 }).await, Ok(7));
    }
    until(|| flights.keys() == 0).await;
}

async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(DEADLINE, wait).await.expect("it comes to that");
}
