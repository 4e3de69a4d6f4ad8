//! The view of instances: changes, grace periods and the last instances.

use super::*;

const GRACE: Duration = Duration::from_secs(8);

fn instance(port: u16) -> Instance {
    Instance::new(([127, 0, 0, 1], port).into(), 10)
}

fn listed(ports: &[u16]) -> Listed {
    let entry = |port: &u16| (port.to_string(), instance(*port));
    ports.iter().map(entry).collect()
}

fn put(port: u16) -> Change {
    Change {
        instance: Some(instance(port)),
        ..delete(port)
    }
}

fn delete(port: u16) -> Change {
    Change {
        key: port.to_string(),
        instance: None,
        is_listed: false,
    }
}

/// As a renewed watch tells it again.
fn told_again(change: Change) -> Change {
    Change {
        is_listed: true,
        ..change
    }
}

fn ports(view: &mut View, at: Instant) -> Vec<u16> {
    let ports = view.instances(at).into_iter().map(|i| i.address.port());
    let mut ports: Vec<u16> = ports.collect();
    ports.sort_unstable();
    ports
}

fn view(ports: &[u16], now: Instant) -> View {
    let mut view = View::new(GRACE);
    view.replace(listed(ports), now);
    view
}

#[test]
fn a_deleted_instance_goes_at_once() {
    let now = Instant::now();
    let mut view = view(&[1, 2], now);
    view.apply(vec![delete(1)], now);
    assert_eq!(ports(&mut view, now), [2]);
    assert_eq!(view.grace_end(), None);
}

#[test]
fn the_last_instances_stay_for_the_grace() {
    let now = Instant::now();
    let mut view = view(&[1, 2], now);
    view.apply(vec![delete(1), delete(2)], now);
    assert_eq!(ports(&mut view, now), [1, 2]);
    assert_eq!(view.grace_end(), Some(now + GRACE));
    assert_eq!(ports(&mut view, now + GRACE), [0; 0]);
}

#[test]
fn an_empty_list_read_again_keeps_all_for_one_grace_only() {
    let now = Instant::now();
    let mut view = view(&[1, 2], now);
    view.replace(listed(&[]), now);
    view.replace(listed(&[]), now + GRACE / 2);
    assert_eq!(ports(&mut view, now + GRACE / 2), [1, 2]);
    assert_eq!(ports(&mut view, now + GRACE), [0; 0]);
}

#[test]
fn those_who_register_again_stay_and_the_others_go_after_the_grace() {
    let now = Instant::now();
    let mut view = view(&[1, 2], now);
    view.replace(listed(&[]), now);
    view.apply(vec![put(2), put(3)], now);
    assert_eq!(ports(&mut view, now), [1, 2, 3]);
    assert_eq!(ports(&mut view, now + GRACE), [2, 3]);
}

#[test]
fn a_changed_weight_is_taken_over() {
    let now = Instant::now();
    let mut view = view(&[1], now);
    let heavy = Instance {
        weight: 30,
        ..instance(1)
    };
    let change = Change {
        instance: Some(heavy.clone()),
        ..put(1)
    };
    view.apply(vec![change], now);
    assert_eq!(view.instances(now), [heavy]);
}

#[test]
fn what_left_while_the_watch_was_renewed_goes_at_once() {
    let now = Instant::now();
    let mut view = view(&[1, 2], now);
    // 1 left and 3 came and left between the old watch and the list.
    view.replace(listed(&[2]), now);
    view.apply([delete(1), put(3), delete(3)].map(told_again).into(), now);
    assert_eq!(ports(&mut view, now), [2]);
    // A key that was deleted and put again before the list stays as the list has it.
    view.apply([delete(2), put(2)].map(told_again).into(), now);
    assert_eq!(ports(&mut view, now), [2]);
    assert_eq!(view.grace_end(), None);
}

#[test]
fn the_last_that_left_while_the_watch_was_renewed_stays_for_the_grace() {
    let now = Instant::now();
    let mut view = view(&[1], now);
    view.replace(listed(&[]), now);
    view.apply([delete(1)].map(told_again).into(), now);
    assert_eq!(ports(&mut view, now), [1]);
    assert_eq!(ports(&mut view, now + GRACE), [0; 0]);
}
