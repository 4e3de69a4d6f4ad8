//! Proofs and registrations: which are accepted.

use super::*;

const OURS: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";
/// A time like any other.
const NOW: u64 = 1_700_000_000_000;

fn secrets(text: &str) -> Secrets {
    let mut settings = Settings::load().unwrap();
    settings.rpc.secret = settings::Secret::new(text);
    Secrets::new(&settings)
}

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn call() -> Call<'static> {
    Call {
        service: "video",
        address: address(9000),
        method: "mget_videos",
        caller: "api",
    }
}

#[test]
fn the_recipe_is_that_of_the_documentation() {
    let proof = secrets(OURS).prove_at(&call(), NOW, 0xabc).unwrap();
    // By: printf 'dousheng call 1\nvideo\n127.0.0.1:9000\nmget_videos\napi\n1700000000000\n0000000000000abc' |
    //     openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    let hmac = "799d62db3f221423a9b134941d196cef3809614156fec2bc4b3d04673c98dd20";
    assert_eq!(proof, format!("1.1700000000000.0000000000000abc.{hmac}"));
    let signature = secrets(OURS).sign_registration("video", address(9000));
    // By: printf 'dousheng registration 1\nvideo\n127.0.0.1:9000' | openssl dgst …
    let hmac = "7d9b2574cad4e4a14ae3f092e189fd3b9e668bc951c835e6746cbd714f43922c";
    assert_eq!(signature.as_deref(), Some(hmac));
}

#[test]
fn a_proof_is_good_once_for_its_call_alone() {
    let (ours, verifier) = (secrets(OURS), Verifier::new(secrets(OURS)));
    let proof = ours.prove_at(&call(), NOW, 1).unwrap();
    for other in [
        Call {
            service: "user",
            ..call()
        },
        Call {
            address: address(9001),
            ..call()
        },
        Call {
            method: "publish",
            ..call()
        },
        Call {
            caller: "comment",
            ..call()
        },
        // Nor one whose fields run into each other.
        Call {
            method: "mget_videos\napi",
            caller: "1700000000000",
            ..call()
        },
    ] {
        let refused = verifier.verify_at(&other, &proof, NOW);
        assert_eq!(refused, Err(Refusal::Unfit), "{other:?}");
    }
    assert_eq!(verifier.verify_at(&call(), &proof, NOW), Ok(()));
    let again = verifier.verify_at(&call(), &proof, NOW);
    assert_eq!(again, Err(Refusal::Used));
    // Nor with another time, or for another method: the nonce is taken.
    let reused = ours.prove_at(&call(), NOW + 60_000, 1).unwrap();
    let again = verifier.verify_at(&call(), &reused, NOW);
    assert_eq!(again, Err(Refusal::Used));
    let other = ours.prove_at(&call(), NOW, 2).unwrap();
    assert_eq!(verifier.verify_at(&call(), &other, NOW), Ok(()));
}

#[test]
fn clocks_may_differ_by_five_minutes_and_no_more() {
    let (ours, verifier) = (secrets(OURS), Verifier::new(secrets(OURS)));
    let prove = |time_ms, nonce| ours.prove_at(&call(), time_ms, nonce).unwrap();
    for (nonce, (time_ms, expected)) in (0..).zip([
        (NOW - MAX_SKEW_MS, Ok(())),
        (NOW + MAX_SKEW_MS, Ok(())),
        (NOW - MAX_SKEW_MS - 1, Err(Refusal::AnotherTime)),
        (NOW + MAX_SKEW_MS + 1, Err(Refusal::AnotherTime)),
        (0, Err(Refusal::AnotherTime)),
        (u64::MAX, Err(Refusal::AnotherTime)),
    ]) {
        let proof = prove(time_ms, nonce);
        assert_eq!(verifier.verify_at(&call(), &proof, NOW), expected);
    }
    // As long as one of them is good, it can't be repeated.
    for now in [NOW, NOW + MAX_SKEW_MS, NOW + 2 * MAX_SKEW_MS] {
        let again = verifier.verify_at(&call(), &prove(NOW + MAX_SKEW_MS, 1), now);
        assert_eq!(again, Err(Refusal::Used));
    }
    // Nor when the clock of the service is set back after it was forgotten.
    let later = NOW + 3 * MAX_SKEW_MS;
    verifier
        .verify_at(&call(), &prove(later, 65), later)
        .unwrap();
    let again = verifier.verify_at(&call(), &prove(NOW + MAX_SKEW_MS, 1), NOW);
    assert_eq!(again, Err(Refusal::AnotherTime));
}

#[test]
fn what_is_no_proof_is_refused_and_panics_nowhere() {
    let (ours, verifier) = (secrets(OURS), Verifier::new(secrets(OURS)));
    let good = ours.prove_at(&call(), NOW, 1).unwrap();
    let stranger = secrets(OTHER).prove_at(&call(), NOW, 1).unwrap();
    let refused = verifier.verify_at(&call(), &stranger, NOW);
    assert_eq!(refused, Err(Refusal::Unfit));
    let longer = format!("{good}.1");
    for odd in [
        "",
        OURS,
        "1...",
        "1.x.0000000000000001.aa",
        "1.1700000000000.1.aa",
        "1.1700000000000.+000000000000001.aa",
        "1.1700000000000.ééééééé1.aa",
        &good.replacen("1.", "2.", 1),
        &longer,
        &good[..good.len() - 1],
        &good.to_uppercase(),
    ] {
        verifier.verify_at(&call(), odd, NOW).unwrap_err();
    }
    assert_eq!(verifier.verify_at(&call(), &good, NOW), Ok(()));
}

#[test]
fn of_two_secrets_the_first_proves_and_both_check() {
    let both = secrets(&format!("{OTHER},{OURS}"));
    let verifier = Verifier::new(both.clone());
    for secrets in [&secrets(OURS), &secrets(OTHER), &both] {
        let proof = secrets.prove(&call()).unwrap();
        assert_eq!(verifier.verify(&call(), &proof), Ok(()));
        let signature = secrets.sign_registration("video", address(1));
        assert!(both.is_ours("video", address(1), signature.as_deref()));
    }
    let old = Verifier::new(secrets(OURS));
    let proof = both.prove(&call()).unwrap();
    assert_eq!(old.verify(&call(), &proof), Err(Refusal::Unfit));
}

#[test]
fn a_registration_is_signed_for_its_service_and_its_address() {
    let ours = secrets(OURS);
    let signature = ours.sign_registration("video", address(1));
    let signature = signature.as_deref();
    assert!(ours.is_ours("video", address(1), signature));
    assert!(!ours.is_ours("user", address(1), signature));
    assert!(!ours.is_ours("video", address(2), signature));
    assert!(!ours.is_ours("video", address(1), None));
    assert!(!ours.is_ours("video", address(1), Some("")));
    assert!(!secrets(OTHER).is_ours("video", address(1), signature));
    // Without a secret there is nothing to ask for.
    let nothing = secrets("");
    assert_eq!(nothing.sign_registration("video", address(1)), None);
    assert_eq!(nothing.prove(&call()), None);
    assert!(nothing.is_ours("video", address(1), None));
}

#[test]
fn when_there_is_no_more_room_the_oldest_proofs_are_refused_and_none_is_good_twice() {
    let seen = nonces::SeenNonces::with_room(1, 100);
    let slot = 10_000;
    for nonce in 0..100 {
        let time_ms = NOW + (nonce % 10) * slot;
        assert_eq!(seen.take(nonce, time_ms, NOW), Ok(()));
    }
    // One more: the ten of the first slot are forgotten, and what is as old is refused.
    assert_eq!(seen.take(100, NOW + 9 * slot, NOW), Ok(()));
    for nonce in [0, 1000] {
        assert_eq!(seen.take(nonce, NOW, NOW), Err(Refusal::AnotherTime));
    }
    for nonce in 0..100 {
        let time_ms = NOW + (nonce % 10) * slot;
        assert!(seen.take(nonce, time_ms, NOW).is_err(), "{nonce}");
    }
    assert_eq!(seen.take(1001, NOW + slot, NOW), Ok(()));
}

#[test]
fn a_clock_that_was_hours_ahead_and_is_set_right_refuses_no_new_proof_and_accepts_none_twice() {
    let seen = nonces::SeenNonces::with_room(1, 1000);
    let (slot, minute) = (10_000, 60_000);
    let ahead = NOW + 8 * 60 * minute;
    // Callers on the same machine are ahead, too, for half an hour.
    let early = [(0, NOW)].into_iter();
    let accepted: Vec<_> = early
        .chain((1..=180).map(|nonce| (nonce, ahead + nonce * slot)))
        .collect();
    for (nonce, time_ms) in &accepted {
        assert_eq!(seen.take(*nonce, *time_ms, *time_ms), Ok(()), "{nonce}");
    }
    for nonce in 1000..1100 {
        let time_ms = NOW + minute + (nonce - 1000) * slot;
        assert_eq!(seen.take(nonce, time_ms, time_ms), Ok(()), "{nonce}");
    }
    // Nor when that time comes.
    for (nonce, time_ms) in &accepted {
        assert!(seen.take(*nonce, *time_ms, *time_ms).is_err(), "{nonce}");
    }
}

#[test]
fn a_clock_that_was_hours_ahead_and_is_set_right_locks_out_nobody_who_calls_rarely() {
    let seen = nonces::SeenNonces::with_room(1, 1000);
    // So rarely that each call is a range of its own.
    let pause = 70_000;
    let ahead = NOW + 8 * 60 * 60_000;
    let accepted: Vec<_> = (0..100)
        .map(|nonce| (nonce, NOW - (100 - nonce) * pause))
        .chain((100..200).map(|nonce| (nonce, ahead + nonce * pause)))
        .collect();
    for (nonce, time_ms) in &accepted {
        assert_eq!(seen.take(*nonce, *time_ms, *time_ms), Ok(()), "{nonce}");
    }
    for nonce in 1000..1200 {
        let time_ms = NOW + (nonce - 999) * pause;
        assert_eq!(seen.take(nonce, time_ms, time_ms), Ok(()), "{nonce}");
    }
    for (nonce, time_ms) in &accepted {
        assert!(seen.take(*nonce, *time_ms, *time_ms).is_err(), "{nonce}");
    }
}

#[test]
fn nonces_of_a_time_that_has_not_come_make_room_for_those_of_now() {
    let seen = nonces::SeenNonces::with_room(1, 100);
    let (slot, ahead) = (10_000, NOW + 8 * 60 * 60_000);
    let early: Vec<_> = (0..100).map(|n| (n, ahead + (n % 10) * slot)).collect();
    for (nonce, time_ms) in &early {
        assert_eq!(seen.take(*nonce, *time_ms, ahead), Ok(()), "{nonce}");
    }
    // The clock is set right. All that are accepted now find room, and none is good twice.
    let now: Vec<_> = (1000..1100).map(|n| (n, NOW + (n % 10) * slot)).collect();
    for (nonce, time_ms) in &now {
        assert_eq!(seen.take(*nonce, *time_ms, NOW), Ok(()), "{nonce}");
    }
    for (nonce, time_ms) in &now {
        assert!(seen.take(*nonce, *time_ms, NOW).is_err(), "{nonce}");
    }
    for (nonce, time_ms) in &early {
        assert!(seen.take(*nonce, *time_ms, ahead).is_err(), "{nonce}");
    }
}

#[test]
fn proofs_after_long_pauses_are_refused_when_the_clock_is_set_back() {
    let seen = nonces::SeenNonces::with_room(1, 1000);
    let time_of = |nonce: u64| NOW + nonce * 60 * 60_000;
    for nonce in 0..50 {
        assert_eq!(seen.take(nonce, time_of(nonce), time_of(nonce)), Ok(()));
    }
    for nonce in 0..50 {
        assert!(seen.take(nonce, time_of(nonce), time_of(nonce)).is_err());
    }
}
