//! The rotation without servers: who gets which replica, when a replica is ejected, and when it returns.

use std::collections::HashMap;

use sea_orm::DatabaseConnection;

use super::{history::History, *};

const USERS: i64 = 300;

/// Replicas at 10.0.0.1, 10.0.0.2, …, in this order, not yet polled.
fn replicas(numbers: &[usize]) -> Vec<Arc<Replica>> {
    let replica = |(index, number): (usize, &usize)| {
        let connection = DatabaseConnection::default();
        let read_pool = ReadPool::new("test", connection, 1, Duration::ZERO);
        let address = format!("10.0.0.{number}:3306");
        Arc::new(Replica::new(index, address, read_pool))
    };
    numbers.iter().enumerate().map(replica).collect()
}

/// All in rotation.
fn rotation(count: usize) -> Rotation {
    let numbers: Vec<usize> = (1..=count).collect();
    let rotation = Rotation::new(replicas(&numbers));
    for replica in rotation.all() {
        replica.update(has(9), &Readmission::CatchUp(upto(9)));
    }
    rotation
}

fn upto(seq: u64) -> Gtids {
    Gtids::parse(Dialect::MariaDb, &format!("0-1-{seq}"))
}

fn commit(seq: u64) -> Commit {
    Commit {
        seq,
        gtid: format!("0-1-{seq}"),
    }
}

/// A poll that finds these commits.
fn has(seq: u64) -> Result<ReplicaStatus, String> {
    Ok(ReplicaStatus {
        applied: Some(upto(seq)),
        lag: Duration::ZERO,
    })
}

fn away() -> Result<ReplicaStatus, String> {
    Err("away".to_owned())
}

/// Whose reads go where.
fn homes(rotation: &Rotation) -> HashMap<i64, String> {
    let home = |user| (user, rotation.pick(Some(user)).unwrap().address.clone());
    (1..=USERS).map(home).collect()
}

#[test]
fn replicas_share_the_reads_of_strangers_evenly() {
    let rotation = rotation(3);
    let mut reads: HashMap<String, usize> = HashMap::new();
    for _ in 0..300 {
        let address = &rotation.pick(None).unwrap().address;
        *reads.entry(address.clone()).or_default() += 1;
    }
    assert_eq!(reads.values().copied().collect::<Vec<_>>(), [100; 3]);
}

#[test]
fn a_user_keeps_to_a_replica_while_it_is_well_and_returns_to_it() {
    let rotation = rotation(3);
    let before = homes(&rotation);
    for replica in rotation.all() {
        let homes = before.values();
        let share = homes.filter(|home| **home == replica.address).count();
        assert!(share > 70, "{share} of {USERS} users");
    }
    let gone = &rotation.all()[0];
    gone.update(away(), &Readmission::Always);
    let mut moved_to: HashMap<String, usize> = HashMap::new();
    for (user, home) in homes(&rotation) {
        assert_ne!(home, gone.address);
        if before[&user] == gone.address {
            *moved_to.entry(home).or_default() += 1;
        } else {
            assert_eq!(
                before[&user], home,
                "only the users of the one that left move"
            );
        }
    }
    assert_eq!(moved_to.len(), 2, "each to their second: {moved_to:?}");
    gone.update(has(9), &Readmission::CatchUp(upto(9)));
    assert_eq!(homes(&rotation), before);
}

#[test]
fn a_user_has_the_same_replica_in_every_process_in_whatever_order_they_are_named() {
    let all = |numbers: &[usize]| {
        let rotation = Rotation::new(replicas(numbers));
        for replica in rotation.all() {
            replica.update(has(9), &Readmission::CatchUp(upto(9)));
        }
        homes(&rotation)
    };
    assert_eq!(all(&[1, 2, 3]), all(&[3, 1, 2]));
    // And in every version: these were worked out from the description of the hash, by another program.
    assert_eq!(weight(1, "10.0.0.1:3306"), WEIGHTS[0]);
    assert_eq!(weight(1, "10.0.0.2:3306"), WEIGHTS[1]);
    assert_eq!(weight(-7, "replica-2.example:3307"), WEIGHTS[2]);
}

const WEIGHTS: [u64; 3] = [
    0x52a9_d5b2_4226_8cd6,
    0x3ed9_c117_5c2a_0ab9,
    0x67be_e0c0_03cc_8c07,
];

#[test]
fn none_is_picked_when_none_is_well() {
    let rotation = rotation(2);
    for replica in rotation.all() {
        replica.update(away(), &Readmission::Always);
    }
    assert!(rotation.pick(None).is_none() && rotation.pick(Some(1)).is_none());
    assert!(Rotation::new(Vec::new()).pick(None).is_none());
}

#[test]
fn a_process_that_has_just_started_asks_a_replica_only_when_it_has_what_the_primary_had_at_first() {
    let replica = &replicas(&[1])[0];
    assert!(!replica.in_rotation());
    replica.update(has(5), &Readmission::CatchUp(upto(1000)));
    assert!(!replica.in_rotation(), "995 commits lag");
    // The primary goes on meanwhile: that is lag, which has its own bound.
    replica.update(has(999), &Readmission::CatchUp(upto(1500)));
    assert_eq!(replica.why_ejected().unwrap(), "it has yet to catch up");
    replica.update(has(1000), &Readmission::CatchUp(upto(2000)));
    assert!(replica.in_rotation());
    replica.update(has(1001), &Readmission::CatchUp(upto(3000)));
    assert!(
        replica.in_rotation(),
        "its age is told by the history from now on"
    );
}

#[test]
fn without_the_primary_a_replica_returns_when_it_has_all_that_was_seen() {
    let rotation = rotation(1);
    let replica = &rotation.all()[0];
    rotation.observe(&commit(20));
    rotation.observe(&commit(12));
    assert_eq!(rotation.newest_observed(), Some(commit(20)));
    // Who is in rotation stays there.
    replica.update(has(15), &Readmission::HasAll(upto(20)));
    assert!(replica.in_rotation());
    replica.update(away(), &Readmission::HasAll(upto(20)));
    replica.update(has(19), &Readmission::HasAll(upto(20)));
    let reason = replica.why_ejected().unwrap();
    assert!(reason.contains("before the primary went away"), "{reason}");
    replica.update(has(20), &Readmission::HasAll(upto(20)));
    assert!(replica.in_rotation());
}

#[test]
fn a_process_started_while_the_primary_is_away_trusts_no_replica_and_says_why() {
    let replica = &replicas(&[1])[0];
    replica.update(has(20), &Readmission::Never);
    let reason = replica.why_ejected().unwrap();
    assert!(reason.contains("hasn't been seen"), "{reason}");
}

#[test]
fn a_replica_that_has_lost_commits_is_not_taken_for_what_it_was() {
    let rotation = rotation(1);
    let replica = &rotation.all()[0];
    replica.learn(upto(30));
    assert!(replica.has(Dialect::MariaDb, &commit(30)));
    // A read that waited may have found more than the poll that was running.
    replica.update(has(29), &Readmission::CatchUp(upto(30)));
    assert!(replica.in_rotation() && replica.has(Dialect::MariaDb, &commit(30)));
    // Restored from a backup, or another server at its address.
    replica.update(has(9), &Readmission::CatchUp(upto(30)));
    assert!(!replica.in_rotation() && !replica.has(Dialect::MariaDb, &commit(10)));
    replica.update(has(30), &Readmission::CatchUp(upto(30)));
    assert!(replica.in_rotation());
}

#[test]
fn one_failed_read_changes_nothing_and_many_put_a_replica_to_rest() {
    let rotation = rotation(1);
    let replica = &rotation.all()[0];
    let broken = DbErr::Custom("broken".to_owned());
    replica.failed(&broken);
    assert!(replica.in_rotation());
    for _ in 0..20 {
        replica.answered();
        replica.failed(&broken);
    }
    assert!(!replica.in_rotation());
    replica.update(has(9), &Readmission::CatchUp(upto(9)));
    assert!(
        !replica.in_rotation(),
        "it rests though a poll finds it well"
    );
    replica.state().ejected_until = Some(Instant::now());
    replica.update(has(9), &Readmission::CatchUp(upto(9)));
    assert!(replica.in_rotation());
    replica.failed(&broken);
    assert!(
        replica.in_rotation(),
        "what was before the rest doesn't count"
    );
}

#[test]
fn a_replica_is_as_old_as_the_first_commit_that_it_lacks() {
    let mut history = History::default();
    for seq in [5, 6, 9] {
        history.add(upto(seq));
        std::thread::sleep(Duration::from_millis(20));
    }
    let age = |seq| history.age(Some(&upto(seq)));
    assert_eq!(age(9), Duration::ZERO);
    assert!(age(8) >= Duration::from_millis(20));
    // Ages grow while they are read: the younger first.
    let (younger, older) = (age(8), age(5));
    assert!(older > younger, "6 came before 9");
    assert!(age(4) > older);
    assert!(history.age(None) >= Duration::from_millis(60));
}

#[test]
fn commits_that_a_failover_has_lost_keep_no_replica_out() {
    let mut history = History::default();
    history.add(upto(5));
    history.add(upto(7));
    history.add(upto(6));
    assert_eq!(history.age(Some(&upto(6))), Duration::ZERO);
    let replica = &replicas(&[1])[0];
    replica.update(has(6), &Readmission::CatchUp(upto(7)));
    assert!(!replica.in_rotation());
    replica.update(has(6), &Readmission::CatchUp(upto(6)));
    assert!(replica.in_rotation());
}

#[test]
fn what_all_replicas_have_is_forgotten_and_what_one_lacks_is_not() {
    let mut history = History::default();
    for seq in 1..=5 {
        history.add(upto(seq));
    }
    let all = replicas(&[1, 2]);
    all[0].learn(upto(5));
    all[1].learn(upto(3));
    history.prune(&all);
    assert_eq!(
        history.0.front().map(|(_, gtids)| gtids.clone()),
        Some(upto(4))
    );
    all[1].learn(upto(5));
    history.prune(&all);
    assert_eq!(history.0.len(), 1);
}
