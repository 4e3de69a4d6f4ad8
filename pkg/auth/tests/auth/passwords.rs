//! Password hashes: verification, the queue, and the limits of length.

use std::time::{Duration, Instant};

use auth::{AuthError, Passwords};

/// bcrypt's cheapest.
const COST: u32 = 4;

fn passwords() -> Passwords {
    Passwords::new(COST, 0).unwrap()
}

#[tokio::test]
async fn a_password_has_its_hash_and_no_other() {
    let passwords = passwords();
    let hash = passwords.hash("correct horse").await.unwrap();
    assert_eq!(hash.len(), 60);
    assert!(passwords.verify("correct horse", &hash).await.unwrap());
    for other in ["correct hors", "correct horse ", "Correct horse", ""] {
        assert!(!passwords.verify(other, &hash).await.unwrap(), "{other:?}");
    }
    assert_ne!(hash, passwords.hash("correct horse").await.unwrap());
}

#[tokio::test]
async fn a_password_is_never_cut() {
    let passwords = passwords();
    let longest = "é".repeat(36);
    let hash = passwords.hash(&longest).await.unwrap();
    assert!(passwords.verify(&longest, &hash).await.unwrap());
    for other in [format!("{longest}x"), "é".repeat(35)] {
        assert!(!passwords.verify(&other, &hash).await.unwrap());
    }
    let refused = passwords.hash(&"x".repeat(73)).await;
    assert!(matches!(refused, Err(AuthError::Password(_))));
}

#[tokio::test]
async fn a_nul_can_not_make_two_passwords_one() {
    let passwords = passwords();
    let hash = passwords.hash("abc").await.unwrap();
    assert!(!passwords.verify("abc\0abc", &hash).await.unwrap());
    let refused = passwords.hash("abc\0abc").await;
    assert!(matches!(refused, Err(AuthError::Password(_))));
}

#[tokio::test]
async fn a_damaged_hash_is_an_error_and_not_a_wrong_password() {
    let checked = passwords().verify("abc", "$2b$04$short").await;
    assert!(matches!(checked, Err(AuthError::Hash(_))));
}

#[tokio::test]
async fn a_hash_of_less_work_wants_a_new_one() {
    let (cheap, dear) = (passwords(), Passwords::new(COST + 1, 0).unwrap());
    let hash = cheap.hash("secret").await.unwrap();
    assert!(dear.verify("secret", &hash).await.unwrap());
    assert!(dear.needs_rehash(&hash));
    assert!(!cheap.needs_rehash(&hash));
    assert!(!cheap.needs_rehash(&dear.hash("secret").await.unwrap()));
}

#[test]
fn a_cost_that_bcrypt_does_not_know_is_refused() {
    for cost in [0, 3, 32] {
        assert!(Passwords::new(cost, 0).is_err(), "{cost}");
    }
}

#[tokio::test]
async fn an_unknown_name_costs_what_a_wrong_password_costs() {
    // Dear enough to stand out from the noise of other tests.
    let passwords = Passwords::new(8, 1).unwrap();
    let hash = passwords.hash("secret").await.unwrap();
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        let start = Instant::now();
        assert!(!passwords.verify("wrong", &hash).await.unwrap());
        known.push(start.elapsed());
        let start = Instant::now();
        passwords.verify_nobody("wrong").await.unwrap();
        unknown.push(start.elapsed());
    }
    // The fastest of each is the least disturbed.
    let (known, unknown) = (known.iter().min().unwrap(), unknown.iter().min().unwrap());
    let ratio = known.as_secs_f64() / unknown.as_secs_f64();
    assert!(
        (0.5..2.0).contains(&ratio),
        "known {known:?}, unknown {unknown:?}"
    );
}

#[tokio::test]
async fn hashes_leave_the_async_threads_free() {
    // One async thread: a hash on it would stop the clock of this test.
    let passwords = Passwords::new(11, 1).unwrap();
    let hashing = tokio::spawn(async move { passwords.hash("secret").await });
    let mut ticks = 0;
    while !hashing.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        ticks += 1;
    }
    hashing.await.unwrap().unwrap();
    assert!(ticks > 3, "{ticks}");
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_refused_and_the_rest_served() {
    // Cost 12, one at once: nine fit.
    let passwords = Passwords::new(12, 1).unwrap();
    let all = (0..12).map(|_| passwords.hash("secret"));
    let results = futures::future::join_all(all).await;
    let busy = |result: &Result<String, AuthError>| matches!(result, Err(AuthError::Busy));
    assert_eq!(results.iter().filter(|result| busy(result)).count(), 3);
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 9);
    assert!(passwords.hash("secret").await.is_ok());
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_make_room_before_its_hash_ends() {
    let passwords = Passwords::new(12, 1).unwrap();
    let abandoned = tokio::time::timeout(Duration::from_millis(5), passwords.hash("secret"));
    assert!(abandoned.await.is_err());
    // The abandoned one still runs, so eight more fit and not nine.
    let all = (0..9).map(|_| passwords.hash("secret"));
    let results = futures::future::join_all(all).await;
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
}
