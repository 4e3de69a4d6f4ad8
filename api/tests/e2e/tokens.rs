//! Where a token may travel, and what a missing or bad one means.

use std::time::Duration;

use reqwest::{Method, multipart};
use testkit::{Client, JWT_KEYS, Process, eventually, media};

use crate::{
    shapes::{feed_page, videos},
    shared_system,
};

const BROKEN: &str = "not.a.token";
/// By when an API that has just been started knows the services.
const SOON: Duration = Duration::from_secs(20);
/// The key that takes the place of the tests' own.
const NEXT_KEY: &str = "next:another-secret-for-tests-only-of-32-bytes";

#[tokio::test]
async fn a_token_travels_as_parameter_or_as_bearer_and_the_parameter_wins() {
    let system = shared_system().await;
    let client = system.client();
    let (account, other) = (client.new_account().await, client.new_account().await);
    let ask = async |parameter: Option<&str>, bearer: Option<&str>| {
        let mut request = client.request(Method::GET, "/douyin/user/");
        if let Some(token) = parameter {
            request = request.query(&[("token", token)]);
        }
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        client.send(request).await
    };
    let (mine, theirs) = (account.token.as_str(), other.token.as_str());
    // Without a user_id it is the token's user who is meant.
    for (parameter, bearer) in [
        (Some(mine), None),
        (None, Some(mine)),
        (Some(mine), Some(theirs)),
        (Some(mine), Some(BROKEN)),
        (Some(""), Some(mine)),
    ] {
        let body = ask(parameter, bearer).await.ok();
        assert_eq!(
            body["user"]["id"], account.user_id,
            "{parameter:?} {bearer:?}"
        );
    }
    for (parameter, bearer) in [
        (None, None),
        (Some(""), None),
        (Some(""), Some("")),
        (None, Some("")),
    ] {
        ask(parameter, bearer).await.refused(10002);
    }
    for (parameter, bearer) in [
        (Some(BROKEN), None),
        (None, Some(BROKEN)),
        (Some(BROKEN), Some(mine)),
    ] {
        ask(parameter, bearer).await.refused(10003);
    }
}

#[tokio::test]
async fn a_user_is_shown_to_somebody_without_a_token() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let user_id = account.user_id.to_string();
    let shown = client.get("/douyin/user/", &[("user_id", &user_id)]).await;
    assert_eq!(shown.ok()["user"]["name"], account.name);
}

#[tokio::test]
async fn a_token_travels_in_forms_too() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let form = [("token", account.token.as_str())];
    let request = client.request(Method::GET, "/douyin/user/").form(&form);
    assert_eq!(
        client.send(request).await.ok()["user"]["id"],
        account.user_id
    );
    let parts = multipart::Form::new().text("token", account.token.clone());
    let request = client
        .request(Method::GET, "/douyin/user/")
        .multipart(parts);
    assert_eq!(
        client.send(request).await.ok()["user"]["id"],
        account.user_id
    );
}

#[tokio::test]
async fn a_token_that_was_tampered_with_is_10003() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let parts: Vec<&str> = account.token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        panic!("a JWT has three parts");
    };
    // {"alg":"none"} and {"sub":"1"}
    let (unsigned, admin) = ("eyJhbGciOiJub25lIn0", "eyJzdWIiOiIxIn0");
    for forged in [
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{header}.{admin}.{signature}"),
        format!("{unsigned}.{claims}."),
        format!("{unsigned}.{claims}.{signature}"),
        format!("{}x", account.token),
        "x".repeat(5000),
    ] {
        client.user(account.user_id, &forged).await.refused(10003);
    }
}

#[tokio::test]
async fn apis_at_neighbouring_steps_of_a_rotation_take_each_others_tokens() {
    let system = shared_system().await;
    let account = system.client().new_account().await;
    let start = |keys: String| {
        let mut variables = system.variables().clone();
        variables.insert("DOUSHENG_AUTH__JWT_KEYS".to_owned(), keys);
        Process::workspace_binary("api", variables)
    };
    let added = start(format!("{JWT_KEYS},{NEXT_KEY}"));
    let turned = start(format!("{NEXT_KEY},{JWT_KEYS}"));
    let mut steps = vec![system.client()];
    for process in [&added, &turned] {
        steps.push(Client::new(&format!("http://{}", process.address().await)));
    }
    let mut tokens = Vec::new();
    for client in &steps {
        let login = eventually(SOON, "a login", async || {
            let reply = client.login(&account.name, &account.password).await;
            (reply.try_code() == Some(0)).then_some(reply.body)
        });
        tokens.push(login.await["token"].as_str().unwrap().to_owned());
    }
    let key_of = |token: &str| token.split('.').next().unwrap().to_owned();
    assert_eq!(key_of(&tokens[0]), key_of(&tokens[1]));
    assert_ne!(key_of(&tokens[1]), key_of(&tokens[2]), "the new key signs");
    for (signs, verifies) in [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2)] {
        let reply = steps[verifies].user(account.user_id, &tokens[signs]).await;
        assert_eq!(reply.code(), 0, "{signs} at {verifies}: {}", reply.text);
    }
    // Only who skips a step logs people out.
    let skipped = steps[0].user(account.user_id, &tokens[2]).await;
    skipped.refused(10003);
}

#[tokio::test]
async fn where_a_token_is_optional_a_missing_one_is_anonymous() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let id = account.user_id.to_string();
    feed_page(&client.feed(&[]).await.ok());
    feed_page(&client.feed(&[("token", "")]).await.ok());
    feed_page(&client.feed(&[("token", BROKEN)]).await.ok());
    videos(&client.publish_list(&[("user_id", &id)]).await.ok());
    videos(&client.publish_list(&[("token", &account.token)]).await.ok());
    client.publish_list(&[]).await.refused(10002);
    client
        .publish_list(&[("token", BROKEN)])
        .await
        .refused(10003);
    client
        .publish_list(&[("user_id", &id), ("token", BROKEN)])
        .await
        .refused(10003);
}

#[tokio::test]
async fn a_film_is_published_with_its_token_in_any_place() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let token = account.token.as_str();
    let film = || multipart::Part::bytes(media::mp4()).file_name("film.mp4");
    let post = || client.request(Method::POST, "/douyin/publish/action/");
    let title = || multipart::Form::new().text("title", "Film");
    let with_token = |form: multipart::Form| form.text("token", account.token.clone());
    let requests = [
        post()
            .query(&[("token", token)])
            .multipart(title().part("data", film())),
        post()
            .bearer_auth(token)
            .multipart(title().part("data", film())),
        post()
            .query(&[("token", token), ("title", "Film")])
            .multipart(multipart::Form::new().part("data", film())),
        post().multipart(with_token(title()).part("data", film())),
        post().multipart(
            with_token(multipart::Form::new())
                .part("data", film())
                .text("title", "Film"),
        ),
        post().multipart(with_token(
            multipart::Form::new()
                .part("data", film())
                .text("title", "Film"),
        )),
        post().multipart(with_token(title().part("data", film()))),
    ];
    let count = requests.len();
    for (round, request) in requests.into_iter().enumerate() {
        let reply = client.send(request).await;
        assert_eq!(
            (reply.http, reply.code()),
            (200, 0),
            "request {round}: {}",
            reply.text
        );
    }
    let list = videos(&client.works(account.user_id).await.ok());
    assert_eq!(list.len(), count);
    assert!(list.iter().all(|video| video["title"] == "Film"));
}
