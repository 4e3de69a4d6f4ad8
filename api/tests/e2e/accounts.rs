//! User names and passwords: their rules, and who may log in as whom.

use testkit::{Client, Reply};

use crate::{
    shapes::{assert_no_session, assert_session},
    shared_system,
};

const PASSWORD: &str = "password";

/// A name that no other test takes, of exactly `length` characters, all of them `letter` but for the end.
fn name_of(length: usize, letter: char) -> String {
    let unique = format!("{:08x}", rand_u32());
    let filler = length - unique.chars().count();
    letter.to_string().repeat(filler) + &unique
}

fn rand_u32() -> u32 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish() as u32
}

fn assert_bad(reply: Reply, parameter: &str) {
    let body = reply.refused(10001);
    assert_no_session(&body);
    let message = body["status_msg"].as_str().unwrap();
    assert!(
        message.contains(parameter),
        "{message} should name {parameter}"
    );
}

#[tokio::test]
async fn a_name_has_1_to_32_characters_whatever_their_bytes() {
    let system = shared_system().await;
    let client = system.client();
    for letter in ['a', '好', '🎬'] {
        let longest = name_of(32, letter);
        assert_session(&client.register(&longest, PASSWORD).await.ok());
        assert_session(&client.login(&longest, PASSWORD).await.ok());
        assert_bad(
            client.register(&name_of(33, letter), PASSWORD).await,
            "username",
        );
    }
    let one = char::from_u32(0x4e00 + rand_u32() % 20_000)
        .unwrap()
        .to_string();
    assert_session(&client.register(&one, PASSWORD).await.ok());
    assert_bad(client.register("", PASSWORD).await, "username");
    assert_bad(
        client
            .post("/douyin/user/register/", &[("password", PASSWORD)])
            .await,
        "username",
    );
}

#[tokio::test]
async fn a_name_is_one_in_every_unicode_form_but_case_and_accents_count() {
    let system = shared_system().await;
    let client = system.client();
    let base = name_of(10, 'x');
    let (composed, decomposed) = (format!("{base}\u{e9}"), format!("{base}e\u{301}"));
    let first = client.register(&decomposed, PASSWORD).await.ok();
    assert_session(&first);
    let body = client.register(&composed, PASSWORD).await.refused(10005);
    assert_no_session(&body);
    for form in [&composed, &decomposed] {
        assert_eq!(
            client.login(form, PASSWORD).await.ok()["user_id"],
            first["user_id"]
        );
    }
    let token = first["token"].as_str().unwrap();
    let user = client
        .user(first["user_id"].as_i64().unwrap(), token)
        .await
        .ok();
    assert_eq!(user["user"]["name"], composed.as_str());
    for other in [
        format!("{base}e"),
        format!("{base}\u{c9}"),
        base.to_uppercase(),
    ] {
        assert_session(&client.register(&other, PASSWORD).await.ok());
    }
    // 64 code points as sent, 32 in NFC.
    let longest = name_of(32, 'o').replace('o', "o\u{308}");
    assert_session(&client.register(&longest, PASSWORD).await.ok());
}

#[tokio::test]
async fn white_space_at_an_edge_and_control_characters_are_refused() {
    let system = shared_system().await;
    let client = system.client();
    let name = name_of(12, 'w');
    for bad in [
        format!(" {name}"),
        format!("{name} "),
        format!("\t{name}"),
        format!("{name}\n"),
        format!("\u{3000}{name}"),
        format!("{name}\u{a0}"),
        format!("a\u{0}{name}"),
        format!("a\u{7}{name}"),
        format!("a\u{85}{name}"),
        " ".to_owned(),
    ] {
        assert_bad(client.register(&bad, PASSWORD).await, "username");
    }
    assert_session(&client.register(&format!("a {name}"), PASSWORD).await.ok());
}

#[tokio::test]
async fn a_password_has_5_to_32_characters_and_at_most_72_bytes() {
    let system = shared_system().await;
    let client = system.client();
    for good in [
        "12345".to_owned(),
        "x".repeat(32),
        "好".repeat(24),
        "🔑".repeat(18),
        " five ".to_owned(),
    ] {
        let name = name_of(16, 'p');
        assert_session(&client.register(&name, &good).await.ok());
        assert_session(&client.login(&name, &good).await.ok());
    }
    for bad in [
        "1234".to_owned(),
        "x".repeat(33),
        "好".repeat(25),
        "🔑".repeat(19),
        String::new(),
    ] {
        assert_bad(client.register(&name_of(16, 'p'), &bad).await, "password");
    }
    let name = name_of(16, 'p');
    assert_bad(
        client
            .post("/douyin/user/register/", &[("username", &name)])
            .await,
        "password",
    );
}

#[tokio::test]
async fn a_login_says_only_whether_it_is_right() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let mut messages = Vec::new();
    let (long, unknown) = ("x".repeat(40), name_of(20, 'u'));
    for (name, password) in [
        (account.name.as_str(), "wrong password"),
        (&account.name, "1234"),
        (&account.name, &long),
        (&unknown, &account.password),
        (&long, &account.password),
        (" edge", &account.password),
        (&account.name.to_uppercase(), &account.password),
    ] {
        let body = client.login(name, password).await.refused(10004);
        assert_no_session(&body);
        messages.push(body["status_msg"].clone());
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_bad(client.login("", &account.password).await, "username");
    assert_bad(client.login(&account.name, "").await, "password");
    assert_bad(
        client
            .post("/douyin/user/login/", &[("username", &account.name)])
            .await,
        "password",
    );
    assert_bad(client.post("/douyin/user/login/", &[]).await, "username");
}

#[tokio::test]
async fn a_name_is_given_once_also_when_many_want_it_at_the_same_time() {
    let system = shared_system().await;
    let name = name_of(20, 'r');
    let one = |client: Client| {
        let name = name.clone();
        tokio::spawn(async move { client.register(&name, PASSWORD).await.code() })
    };
    let racers: Vec<_> = (0..8).map(|_| one(system.client())).collect();
    let mut codes = Vec::new();
    for racer in racers {
        codes.push(racer.await.unwrap());
    }
    codes.sort();
    assert_eq!(codes, [0, 10005, 10005, 10005, 10005, 10005, 10005, 10005]);
}
