//! When a process can't write to Redis, no process trusts the marks.

use super::*;

/// Marks of another process on the same Redis, which go through a proxy; kept as the writer with this id.
async fn through_a_proxy(redis: &Redis, primary: &Primary, id: &str) -> (TcpProxy, Marks) {
    let proxy = TcpProxy::to(&redis.url().replace("redis://", "")).await;
    let url = format!("redis://{}", proxy.address());
    let marks = marks_at(url, ReadsAfterWrites::Gtid);
    tokio::spawn(marks.clone().keep(primary.of_process(id)));
    registered(redis, id).await;
    known(&marks).await;
    (proxy, marks)
}

/// Waits until a writer is known in all buckets.
async fn registered(redis: &Redis, id: &str) {
    eventually(PATIENCE, "a lease", async || {
        let in_bucket = |n: u64| {
            let key = format!("t:{{m{n}}}:leases");
            !redis.command(DATABASE, &["ZSCORE", &key, id]).is_empty()
        };
        (0..8).all(in_bucket).then_some(())
    })
    .await;
}

/// Nobody who asks now is told less than that commit.
async fn nobody_misses(marks: &Marks, subjects: &[Subject], unmarked: &Commit) {
    match marks.read(subjects).await {
        Consistency::All(StrictReason::Unknown) => {}
        Consistency::UpTo { commit, .. } if commit.seq >= unmarked.seq => {}
        other => panic!("{other:?} misses {unmarked:?}"),
    }
}

#[tokio::test]
async fn a_process_that_alone_is_cut_off_waits_until_others_can_not_miss_what_it_wrote() {
    let (redis, others, primary) = kept().await;
    let (proxy, cut_off) = through_a_proxy(&redis, &primary, "b").await;
    for _ in 0..3 {
        proxy.shut();
        let unmarked = primary.commit();
        assert!(!cut_off.set(&[User(7)], &unmarked).await);
        // Now somebody else could miss it.
        let reconnects = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            proxy.open();
        };
        tokio::join!(cut_off.settled(), reconnects);
        nobody_misses(&others, &[User(7)], &unmarked).await;
        known(&cut_off).await;
    }
    assert!(cut_off.set(&[User(7)], &primary.commit()).await);
    assert_eq!(cut_off.settled().await, Settled::Deleted);
}

#[tokio::test]
async fn a_process_that_stays_cut_off_ends_the_trust_of_all_until_it_is_back() {
    let (redis, others, primary) = kept().await;
    let (proxy, cut_off) = through_a_proxy(&redis, &primary, "b").await;
    proxy.shut();
    for loses_all in [false, true] {
        if loses_all {
            redis.command(DATABASE, &["FLUSHALL"]);
        }
        let unmarked = primary.commit();
        assert!(!cut_off.set(&[User(7)], &unmarked).await);
        assert_eq!(
            cut_off.settled().await,
            Settled::RunOut(vec!["b".to_owned()])
        );
        // Keepers have all the time that they need to make an epoch.
        for _ in 0..30 {
            for subjects in [&[User(7)][..], &[]] {
                assert_eq!(
                    others.read(subjects).await,
                    Consistency::All(StrictReason::Unknown)
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let newest = primary.commit();
    proxy.open();
    known(&others).await;
    nobody_misses(&others, &[User(7)], &newest).await;
}

/// Renames its process as soon as it may, and from then on no answer of Redis reaches it.
struct Renamed {
    primary: Primary,
    renamed: Primary,
    may: Arc<AtomicBool>,
    proxy: Arc<TcpProxy>,
}

impl Registry for Renamed {
    async fn id(&self, name: &'static str) -> Option<String> {
        if !self.may.load(Ordering::SeqCst) {
            return self.primary.id(name).await;
        }
        self.proxy.delay(Duration::from_secs(60));
        self.renamed.id(name).await
    }

    async fn statuses(
        &self,
        name: &'static str,
        ids: &[String],
    ) -> Option<Vec<(String, WriterStatus)>> {
        self.primary.statuses(name, ids).await
    }

    async fn epoch_base(&self, name: &'static str) -> Option<EpochBase> {
        self.primary.epoch_base(name).await
    }

    async fn removed(&self, name: &'static str, ids: &[String]) {
        self.primary.removed(name, ids).await;
    }
}

#[tokio::test]
async fn a_process_counts_on_its_former_id_and_on_every_one_that_redis_may_have_got_since() {
    let (redis, _others, primary) = kept().await;
    let proxy = Arc::new(TcpProxy::to(&redis.url().replace("redis://", "")).await);
    let url = format!("redis://{}", proxy.address());
    let marks = marks_at(url, ReadsAfterWrites::Gtid);
    let may = Arc::new(AtomicBool::new(false));
    let registry = Renamed {
        primary: primary.of_process("b"),
        renamed: primary.of_process("c"),
        may: may.clone(),
        proxy,
    };
    tokio::spawn(marks.clone().keep(registry));
    registered(&redis, "b").await;
    known(&marks).await;
    may.store(true, Ordering::SeqCst);
    registered(&redis, "c").await;
    assert!(!marks.set(&[User(7)], &primary.commit()).await);
    let both = ["b", "c"].map(str::to_owned).to_vec();
    assert_eq!(marks.settled().await, Settled::RunOut(both));
}

#[tokio::test]
async fn a_redis_that_refuses_to_write_ends_the_trust_of_all_until_it_writes_again() {
    let (redis, marks, primary) = kept().await;
    // Who only reads: nothing of what fails comes to its notice.
    let reader = self::marks(&redis, ReadsAfterWrites::Gtid);
    known(&reader).await;
    for why in [Refusal::ReadOnly, Refusal::NoReplicas, Refusal::Unsaved] {
        redis.refuse_writes(why).await;
        let unmarked = primary.commit();
        assert!(!marks.set(&[User(7)], &unmarked).await, "{why:?}");
        assert_eq!(marks.settled().await, Settled::RunOut(vec!["a".to_owned()]));
        for subjects in [&[User(7)][..], &[User(8)], &[]] {
            let consistency = reader.read(subjects).await;
            assert_eq!(
                consistency,
                Consistency::All(StrictReason::Unknown),
                "{why:?}"
            );
        }
        redis.accept_writes();
        known(&reader).await;
        nobody_misses(&reader, &[User(7)], &unmarked).await;
    }
}

#[tokio::test]
async fn a_writer_that_is_gone_is_removed_with_a_new_epoch_only_if_it_owed_something() {
    let (redis, marks, primary) = kept().await;
    for (id, status) in [("b", WriterStatus::Gone), ("c", WriterStatus::GoneDirty)] {
        let process = primary.of_process(id);
        let of_it = self::marks(&redis, ReadsAfterWrites::Gtid);
        let task = tokio::spawn(of_it.clone().keep(process));
        registered(&redis, id).await;
        known(&marks).await;
        let before = floor(&marks).await;
        // Killed: it can't say goodbye.
        task.abort();
        eventually(PATIENCE, "the end of its lease", async || {
            (marks.read(&[User(1)]).await == Consistency::All(StrictReason::Unknown)).then_some(())
        })
        .await;
        let unmarked = primary.commit();
        primary.is(id, status);
        known(&marks).await;
        let after = floor(&marks).await;
        assert_eq!(
            after > unmarked.seq,
            status == WriterStatus::GoneDirty,
            "{id}: {after}"
        );
        assert_eq!(
            after == before,
            status == WriterStatus::Gone,
            "{id}: {after}"
        );
        assert!(!primary.knows(id));
    }
}

/// A process leaves; says what others noticed of it.
async fn leaves_unnoticed() -> Result<(Redis, Marks, Primary), &'static str> {
    let (redis, marks, primary) = kept().await;
    let leaving = self::marks(&redis, ReadsAfterWrites::Gtid);
    tokio::spawn(leaving.clone().keep(primary.of_process("b")));
    registered(&redis, "b").await;
    known(&marks).await;
    if !leaving.leave().await {
        return Err("it didn't leave");
    }
    for _ in 0..60 {
        if marks.read(&[User(1)]).await == Consistency::All(StrictReason::Unknown) {
            return Err("the trust ended");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok((redis, marks, primary))
}

#[tokio::test]
async fn a_process_that_leaves_costs_the_others_no_trust() {
    // On a busy machine Redis may answer late, or a lease is renewed late. What leaving itself costs, it costs each time.
    let mut faults = Vec::new();
    let (redis, marks, primary) = loop {
        match leaves_unnoticed().await {
            Ok(kept) => break kept,
            Err(fault) => faults.push(fault),
        }
        println!("attempt {}: {faults:?}", faults.len());
        assert!(faults.len() < 4, "{faults:?}");
    };
    // One that can't be sure that nothing is missing doesn't leave.
    redis.refuse_writes(Refusal::NoReplicas).await;
    assert!(!marks.set(&[User(7)], &primary.commit()).await);
    assert!(!marks.leave().await);
}

#[tokio::test]
async fn a_set_of_leases_that_was_lost_is_no_empty_one() {
    let (redis, marks, primary) = kept().await;
    let before = primary.commit();
    marks.set(&[User(7)], &before).await;
    redis.command(DATABASE, &["DEL", "t:{m7}:leases"]);
    assert_eq!(
        marks.read(&[User(7)]).await,
        Consistency::All(StrictReason::Unknown)
    );
    known(&marks).await;
    nobody_misses(&marks, &[User(7)], &before).await;
}

#[tokio::test]
async fn a_process_that_never_held_a_lease_does_not_count_on_its_end() {
    let redis = Redis::start().await;
    let marks = marks(&redis, ReadsAfterWrites::Gtid);
    redis.refuse_writes(Refusal::NoReplicas).await;
    let primary = Primary::new("a");
    tokio::spawn(marks.clone().keep(primary.clone()));
    eventually(PATIENCE, "a refusal", async || {
        (!marks.set(&[User(7)], &primary.commit()).await).then_some(())
    })
    .await;
    let limit = marks::leases::LEASE_TTL * 2;
    let settled = tokio::time::timeout(limit, marks.settled()).await;
    assert!(settled.is_err(), "{settled:?}");
    redis.accept_writes();
    assert_eq!(marks.settled().await, Settled::Deleted);
}
