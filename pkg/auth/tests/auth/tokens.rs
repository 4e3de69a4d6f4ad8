//! Which tokens are accepted and which are refused, as a table.

use std::time::Duration;

use auth::{AuthError, TokenError, Tokens};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Hmac;
use jsonwebtoken::{Algorithm, Header, get_current_timestamp};
use serde_json::{Value, json};
use settings::Secret;
use sha2::{Sha256, Sha384, Sha512};

const OLD: (&str, &str) = ("old", "0123456789abcdef0123456789abcdef");
const NEW: (&str, &str) = ("new", "fedcba9876543210fedcba9876543210");
const WEEK: Duration = Duration::from_secs(604_800);

fn tokens(keys: &[(&str, &str)], ttl: Duration) -> Tokens {
    let keys = keys
        .iter()
        .map(|(kid, secret)| ((*kid).to_owned(), Secret::new(*secret)))
        .collect();
    Tokens::new(keys, "dousheng", "dousheng-client", ttl).unwrap()
}

/// The user that a token brings back.
fn user(tokens: &Tokens, token: &str) -> Result<i64, TokenError> {
    tokens.verify(token).map(|subject| subject.user_id)
}

fn good_claims() -> Value {
    let now = get_current_timestamp();
    json!({"iss": "dousheng", "aud": "dousheng-client", "sub": "42", "iat": now, "exp": now + 60})
}

/// The good claims with one changed, or without it.
fn claims(name: &str, value: Option<Value>) -> Value {
    let mut claims = good_claims();
    let map = claims.as_object_mut().unwrap();
    match value {
        Some(value) => map.insert(name.to_owned(), value),
        None => map.remove(name),
    };
    claims
}

/// A token signed without the library, which signs here with HS256 alone.
fn signed(algorithm: Algorithm, kid: Option<&str>, secret: &str, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    let part = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
    let header = part(serde_json::to_vec(&header).unwrap());
    with_signature(
        algorithm,
        secret,
        format!("{header}.{}", part(claims.to_string().into_bytes())),
    )
}

fn with_signature(algorithm: Algorithm, secret: &str, message: String) -> String {
    let (secret, bytes) = (secret.as_bytes(), message.as_bytes());
    let signature = match algorithm {
        Algorithm::HS384 => mac::<Hmac<Sha384>>(secret, bytes),
        Algorithm::HS512 => mac::<Hmac<Sha512>>(secret, bytes),
        _ => mac::<Hmac<Sha256>>(secret, bytes),
    };
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn mac<M: hmac::Mac + hmac::digest::KeyInit>(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mac = <M as hmac::digest::KeyInit>::new_from_slice(secret).unwrap();
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

fn with_claims(claims: &Value) -> String {
    signed(Algorithm::HS256, Some(OLD.0), OLD.1, claims)
}

/// A token with this header, in base64, over good claims, with a good HMAC of our secret.
fn with_header(header: &str) -> String {
    let good = with_claims(&good_claims());
    let message = format!("{header}.{}", good.split('.').nth(1).unwrap());
    with_signature(Algorithm::HS256, OLD.1, message)
}

#[test]
fn a_token_brings_its_user_back() {
    let tokens = tokens(&[OLD], WEEK);
    for user_id in [1, 42, 1 << 53, i64::MAX] {
        assert_eq!(
            user(&tokens, &tokens.issue(user_id, None).unwrap()),
            Ok(user_id),
            "{user_id}"
        );
    }
    // The forged ones below differ from this one by what they name only.
    assert_eq!(user(&tokens, &with_claims(&good_claims())), Ok(42));
    assert_eq!(
        user(
            &tokens,
            &with_header("eyJhbGciOiJIUzI1NiIsImtpZCI6Im9sZCJ9")
        ),
        Ok(42)
    );
}

#[test]
fn a_token_is_of_the_account_that_it_was_issued_to_and_of_no_later_one_with_its_id() {
    let tokens = tokens(&[OLD], WEEK);
    let subject = tokens
        .verify(&tokens.issue(42, Some(1_700_000_000_123)).unwrap())
        .unwrap();
    assert!(subject.was_issued_to(1_700_000_000_123));
    for other in [0, 1_700_000_000_122, 1_700_000_000_124, i64::MAX] {
        assert!(!subject.was_issued_to(other), "{other}");
    }
    // One of before accounts were named so: of an account that was there by then, as clocks go.
    let iat = get_current_timestamp() - 1000;
    let old = tokens.verify(&with_claims(&claims("iat", Some(json!(iat)))));
    let (old, iat_ms) = (old.unwrap(), i64::try_from(iat).unwrap() * 1000);
    assert_eq!((old.user_id, old.created_ms), (42, None));
    for (created_ms, is_accepted) in [
        (0, true),
        (iat_ms, true),
        (iat_ms + 60_000, true),
        (iat_ms + 60_001, false),
        (iat_ms + 900_000, false),
    ] {
        assert_eq!(old.was_issued_to(created_ms), is_accepted, "{created_ms}");
    }
}

#[test]
fn a_rotation_logs_nobody_out() {
    // While processes are renewed one after the other, two neighbouring steps are in force at once.
    let steps = [&[OLD][..], &[OLD, NEW], &[NEW, OLD], &[NEW]].map(|keys| tokens(keys, WEEK));
    let [before, added, turned, after] = &steps;
    for (one, next) in [(before, added), (added, turned)] {
        for (signs, verifies) in [(one, one), (one, next), (next, one), (next, next)] {
            assert_eq!(user(verifies, &signs.issue(1, None).unwrap()), Ok(1));
        }
    }
    // The last step comes when the old tokens have expired.
    let (old, new) = (
        before.issue(1, None).unwrap(),
        turned.issue(2, None).unwrap(),
    );
    assert_eq!(user(turned, &old), Ok(1));
    assert_eq!(user(after, &new), Ok(2));
    assert_eq!(user(turned, &after.issue(2, None).unwrap()), Ok(2));
    assert_eq!(after.verify(&old), Err(TokenError::Invalid));
    assert_eq!(before.verify(&new), Err(TokenError::Invalid));
}

#[test]
fn only_our_own_valid_tokens_are_accepted() {
    let now = get_current_timestamp();
    let good = good_claims();
    let (hs256, kid) = (Algorithm::HS256, Some(OLD.0));
    let table = [
        ("no kid", signed(hs256, None, OLD.1, &good)),
        ("unknown kid", signed(hs256, Some("other"), OLD.1, &good)),
        (
            "another key's kid",
            signed(hs256, Some(NEW.0), OLD.1, &good),
        ),
        ("another secret", signed(hs256, kid, NEW.1, &good)),
        ("HS384", signed(Algorithm::HS384, kid, OLD.1, &good)),
        ("HS512", signed(Algorithm::HS512, kid, OLD.1, &good)),
        // {"alg":"RS256","kid":"old"}: our secret taken for a public key, or the other way round.
        ("RS256", with_header("eyJhbGciOiJSUzI1NiIsImtpZCI6Im9sZCJ9")),
        // {"alg":"PS256","kid":"old"}
        ("PS256", with_header("eyJhbGciOiJQUzI1NiIsImtpZCI6Im9sZCJ9")),
        // {"alg":"ES256","kid":"old"}
        ("ES256", with_header("eyJhbGciOiJFUzI1NiIsImtpZCI6Im9sZCJ9")),
        // {"alg":"EdDSA","kid":"old"}
        ("EdDSA", with_header("eyJhbGciOiJFZERTQSIsImtpZCI6Im9sZCJ9")),
        // {"alg":"NONE","kid":"old"}
        ("NONE", with_header("eyJhbGciOiJOT05FIiwia2lkIjoib2xkIn0")),
        // {"kid":"old"}
        ("no algorithm", with_header("eyJraWQiOiJvbGQifQ")),
        // {"alg":"none","kid":"old"}
        ("none", with_header("eyJhbGciOiJub25lIiwia2lkIjoib2xkIn0")),
        (
            "none, unsigned",
            with_header("eyJhbGciOiJub25lIiwia2lkIjoib2xkIn0")
                .rsplit_once('.')
                .map(|(message, _)| format!("{message}."))
                .unwrap(),
        ),
        (
            "wrong issuer",
            with_claims(&claims("iss", Some(json!("other")))),
        ),
        ("no issuer", with_claims(&claims("iss", None))),
        (
            "wrong audience",
            with_claims(&claims("aud", Some(json!("other")))),
        ),
        ("no audience", with_claims(&claims("aud", None))),
        ("no exp", with_claims(&claims("exp", None))),
        (
            "exp of a wrong type",
            with_claims(&claims("exp", Some(json!("soon")))),
        ),
        (
            "future nbf",
            with_claims(&claims("nbf", Some(json!(now + 60)))),
        ),
        (
            "nbf of a wrong type",
            with_claims(&claims("nbf", Some(json!("now")))),
        ),
        (
            "iat in the future",
            with_claims(&claims("iat", Some(json!(now + 120)))),
        ),
        ("no iat", with_claims(&claims("iat", None))),
        (
            "iat of a wrong type",
            with_claims(&claims("iat", Some(json!("now")))),
        ),
        ("no subject", with_claims(&claims("sub", None))),
        ("subject 0", with_claims(&claims("sub", Some(json!("0"))))),
        (
            "subject below 0",
            with_claims(&claims("sub", Some(json!("-1")))),
        ),
        (
            "subject that is no number",
            with_claims(&claims("sub", Some(json!("me")))),
        ),
        (
            "subject beyond int64",
            with_claims(&claims("sub", Some(json!("9223372036854775808")))),
        ),
        (
            "subject of a wrong type",
            with_claims(&claims("sub", Some(json!(42)))),
        ),
        (
            "too long",
            with_claims(&claims("pad", Some(json!("x".repeat(1024))))),
        ),
        ("empty", String::new()),
        ("no parts", "token".to_owned()),
        ("empty parts", "..".to_owned()),
        ("a part more", format!("{}.x", with_claims(&good))),
        ("not ASCII", "令.牌.坏".to_owned()),
    ];
    let tokens = tokens(&[OLD, NEW], WEEK);
    for (what, token) in table {
        assert_eq!(tokens.verify(&token), Err(TokenError::Invalid), "{what}");
    }
}

/// What comes of a claim that is `offset` seconds from now, at a moment when the clock doesn't move on meanwhile.
fn at_offset(tokens: &Tokens, name: &str, offset: i64) -> Result<i64, TokenError> {
    loop {
        let now = get_current_timestamp();
        let time = now.checked_add_signed(offset).unwrap();
        let token = with_claims(&claims(name, Some(json!(time))));
        let outcome = user(tokens, &token);
        if get_current_timestamp() == now {
            return outcome;
        }
    }
}

#[test]
fn a_fresh_token_is_taken_by_a_clock_a_minute_behind_and_an_expired_one_for_five_seconds() {
    let tokens = tokens(&[OLD], WEEK);
    for (name, offset, outcome) in [
        ("exp", -5, Ok(42)),
        ("exp", -6, Err(TokenError::Expired)),
        ("exp", -60, Err(TokenError::Expired)),
        ("nbf", 5, Ok(42)),
        ("nbf", 6, Err(TokenError::Invalid)),
        ("iat", 20, Ok(42)),
        ("iat", 60, Ok(42)),
        ("iat", 61, Err(TokenError::Invalid)),
    ] {
        assert_eq!(at_offset(&tokens, name, offset), outcome, "{name} {offset}");
    }
}

#[test]
fn a_token_lives_as_long_as_configured() {
    let tokens = tokens(&[OLD], Duration::from_secs(100));
    let token = tokens.issue(7, None).unwrap();
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(&token)
        .unwrap()
        .claims;
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        100
    );
    assert!(claims["iat"].as_u64().unwrap() <= get_current_timestamp());
}

#[test]
fn each_part_changed_by_a_bit_is_refused() {
    let tokens = tokens(&[OLD], WEEK);
    let token = tokens.issue(42, None).unwrap();
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.clone().into_bytes();
            *bytes.get_mut(at).unwrap() ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(
                tokens.verify(&changed),
                Err(TokenError::Invalid),
                "byte {at}, bit {bit}"
            );
        }
    }
}

#[test]
fn without_a_key_there_are_no_tokens() {
    let tokens = Tokens::new(Vec::new(), "i", "a", WEEK);
    assert!(matches!(tokens, Err(AuthError::NoKey)));
}

#[test]
fn no_key_shows() {
    let text = format!("{:?}", tokens(&[OLD], WEEK));
    assert!(!text.contains(OLD.1), "{text}");
}
