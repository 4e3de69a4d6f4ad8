use std::collections::HashMap;

use super::*;

const USERS: i64 = 300;

fn replicas(count: usize) -> Vec<Arc<Replica>> {
    let replica = |index| Arc::new(Replica::new(index, DatabaseConnection::default()));
    (0..count).map(replica).collect()
}

fn well() -> Result<Found, String> {
    Ok(Found {
        applied: None,
        behind: Duration::ZERO,
    })
}

fn name(replica: &Arc<Replica>) -> String {
    replica.server.name().into_owned()
}

/// Whose reads go where.
fn homes(rotation: &Rotation) -> HashMap<i64, String> {
    let home = |user| (user, name(rotation.pick(Some(user)).unwrap()));
    (1..=USERS).map(home).collect()
}

fn upto(seq: u64) -> Gtids {
    Gtids::parse(Dialect::MariaDb, &format!("0-1-{seq}"))
}

#[test]
fn replicas_share_the_reads_of_strangers_evenly() {
    let rotation = Rotation::new(replicas(3));
    let mut reads: HashMap<String, usize> = HashMap::new();
    for _ in 0..300 {
        *reads.entry(name(rotation.pick(None).unwrap())).or_default() += 1;
    }
    assert_eq!(reads.values().copied().collect::<Vec<_>>(), [100; 3]);
}

#[test]
fn a_user_keeps_to_a_replica_while_it_is_well_and_returns_to_it() {
    let rotation = Rotation::new(replicas(3));
    let before = homes(&rotation);
    assert_eq!(homes(&rotation), before);
    for replica in rotation.all() {
        let share = before
            .values()
            .filter(|home| **home == name(replica))
            .count();
        assert!(share > 50, "{share} of {USERS} users");
    }
    let gone = &rotation.all()[0];
    gone.settle(Err("it stands still".to_owned()));
    for (user, home) in homes(&rotation) {
        assert_ne!(home, name(gone));
        assert!(before[&user] == home || before[&user] == name(gone));
    }
    gone.settle(well());
    assert_eq!(homes(&rotation), before);
}

#[test]
fn none_is_picked_when_none_is_well() {
    let rotation = Rotation::new(replicas(2));
    for replica in rotation.all() {
        replica.settle(Err("away".to_owned()));
    }
    assert!(rotation.pick(None).is_none() && rotation.pick(Some(1)).is_none());
    assert!(Rotation::new(Vec::new()).pick(None).is_none());
}

#[test]
fn a_replica_that_failed_a_read_rests_though_a_look_finds_it_well() {
    let rotation = Rotation::new(replicas(1));
    let replica = &rotation.all()[0];
    replica.failed(&DbErr::Custom("broken".to_owned()));
    replica.settle(well());
    assert!(rotation.pick(None).is_none());
    replica.state().rests_until = Some(Instant::now());
    replica.settle(well());
    assert!(rotation.pick(None).is_some());
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
    assert!(age(5) > age(8), "6 came before 9");
    assert!(age(4) > age(5));
    assert!(history.age(None) >= Duration::from_millis(60));
}

#[test]
fn what_all_replicas_have_is_forgotten_and_what_one_lacks_is_not() {
    let mut history = History::default();
    for seq in 1..=5 {
        history.add(upto(seq));
    }
    let all = replicas(2);
    all[0].learn(upto(5));
    all[1].learn(upto(3));
    history.forget(&all);
    assert_eq!(
        history.0.front().map(|(_, gtids)| gtids.clone()),
        Some(upto(4))
    );
    all[1].learn(upto(5));
    history.forget(&all);
    assert_eq!(history.0.len(), 1);
}
