//! Where parameters travel, and bodies that can't be read.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use testkit::Client;

use crate::{
    shapes::{assert_no_session, assert_session, assert_user},
    shared_system,
};

const REGISTER: &str = "/douyin/user/register/";
const LOGIN: &str = "/douyin/user/login/";

fn post(client: &Client, path: &str) -> RequestBuilder {
    client.request(Method::POST, path)
}

#[tokio::test]
async fn a_login_may_come_as_query_form_json_or_multipart() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let pairs = [
        ("username", account.name.as_str()),
        ("password", account.password.as_str()),
    ];
    let json = json!({"username": account.name, "password": account.password});
    let parts = reqwest::multipart::Form::new()
        .text("username", account.name.clone())
        .text("password", account.password.clone());
    for request in [
        post(&client, LOGIN).query(&pairs),
        post(&client, LOGIN).form(&pairs),
        post(&client, LOGIN).json(&json),
        post(&client, LOGIN)
            .header("content-type", "Application/JSON; charset=utf-8")
            .body(json.to_string()),
        post(&client, LOGIN).multipart(parts),
        post(&client, LOGIN).query(&pairs[..1]).form(&pairs[1..]),
        post(&client, LOGIN)
            .query(&pairs[1..])
            .json(&json!({"username": account.name})),
    ] {
        let body = client.send(request).await.ok();
        assert_session(&body);
        assert_eq!(body["user_id"], account.user_id);
    }
}

#[tokio::test]
async fn the_query_wins_over_the_body() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let query = [
        ("username", account.name.as_str()),
        ("password", account.password.as_str()),
    ];
    let wrong = [("username", "somebody"), ("password", "else's")];
    let json = json!({"username": "somebody", "password": "else's"});
    let requests = [
        post(&client, LOGIN).query(&query).form(&wrong),
        post(&client, LOGIN).query(&query).json(&json),
    ];
    for request in requests {
        assert_eq!(client.send(request).await.ok()["user_id"], account.user_id);
    }
    let request = post(&client, LOGIN).query(&wrong).form(&query);
    client.send(request).await.refused(10004);
}

#[tokio::test]
async fn a_get_may_have_a_body() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let id = account.user_id.to_string();
    let get = |path: &str| client.request(Method::GET, path);
    let form = [("user_id", id.as_str()), ("token", account.token.as_str())];
    let json = json!({"user_id": account.user_id, "token": account.token});
    for request in [
        get("/douyin/user/").form(&form),
        get("/douyin/user/").json(&json),
    ] {
        let body = client.send(request).await.ok();
        assert_user(&body["user"]);
        assert_eq!(body["user"]["id"], account.user_id);
    }
    // latest_time far in the past: the body was read if the page is empty.
    let request = get("/douyin/feed/").form(&[("latest_time", "1")]);
    assert_eq!(client.send(request).await.ok()["video_list"], json!([]));
}

#[tokio::test]
async fn every_path_works_with_and_without_its_slash() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let session = [
        ("username", account.name.as_str()),
        ("password", account.password.as_str()),
    ];
    let token = [("token", account.token.as_str())];
    for slash in ["", "/"] {
        let path = |path: &str| format!("/douyin/{path}{slash}");
        client.get(&path("feed"), &[]).await.ok();
        client.get(&path("user"), &token).await.ok();
        client.get(&path("publish/list"), &token).await.ok();
        client.get(&path("favorite/list"), &token).await.ok();
        client.post(&path("user/login"), &session).await.ok();
        client
            .post(&path("user/register"), &session)
            .await
            .refused(10005);
        client
            .post(&path("publish/action"), &token)
            .await
            .refused(10001);
        for action in ["favorite/action", "comment/action"] {
            client.post(&path(action), &token).await.refused(10001);
        }
        client.get(&path("comment/list"), &[]).await.refused(10001);
    }
}

#[tokio::test]
async fn percent_and_plus_are_decoded_once() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    // `+` is a space, `%2B` a plus, `%2525` the text %25.
    let name = format!("a+b c%25 {}", &account.name[5..]);
    let body = format!(
        "username=a%2Bb+c%2525%20{}&password=12345",
        &account.name[5..]
    );
    let form = post(&client, REGISTER)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    let body = client.send(form).await.ok();
    let user = client
        .user(
            body["user_id"].as_i64().unwrap(),
            body["token"].as_str().unwrap(),
        )
        .await
        .ok();
    assert_eq!(user["user"]["name"], name.as_str());
}

#[tokio::test]
async fn a_malformed_body_is_10001_at_http_200() {
    let system = shared_system().await;
    let client = system.client();
    let multipart = "multipart/form-data; boundary=b";
    let cases: [(&str, &[u8]); 13] = [
        ("application/json", b"{"),
        ("application/json", b"[1]"),
        ("application/json", b"\"text\""),
        (
            "application/json",
            b"{\"username\": {\"a\": 1}, \"password\": \"12345\"}",
        ),
        (
            "application/json",
            b"{\"username\": [], \"password\": \"12345\"}",
        ),
        (
            "application/json",
            b"{\"username\": \"\xff\", \"password\": \"12345\"}",
        ),
        ("application/json", b"username=a&password=12345"),
        (
            "application/x-www-form-urlencoded",
            b"username=%FF%FE&password=12345",
        ),
        (
            "application/x-www-form-urlencoded",
            b"username=\xff\xfe&password=12345",
        ),
        ("multipart/form-data", b"--b\r\n"),
        (multipart, b"no boundary anywhere"),
        (
            multipart,
            b"--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nabc",
        ),
        (multipart, b"--b\r\nnonsense\r\n\r\nabc\r\n--b--\r\n"),
    ];
    for path in [REGISTER, LOGIN] {
        for (content_type, body) in cases {
            let request = post(&client, path)
                .header("content-type", content_type)
                .body(body);
            let reply = client.send(request).await;
            let text = String::from_utf8_lossy(body);
            assert_eq!(
                (reply.http, reply.try_code()),
                (200, Some(10001)),
                "{path} {content_type} {text}: {}",
                reply.text
            );
            assert_no_session(&reply.body);
        }
    }
}

#[tokio::test]
async fn a_parameter_that_json_gives_as_null_is_missing() {
    let system = shared_system().await;
    let client = system.client();
    let reply = client
        .post_json(LOGIN, &json!({"username": null, "password": "12345"}))
        .await;
    let body = reply.refused(10001);
    assert!(
        body["status_msg"].as_str().unwrap().contains("username"),
        "{body}"
    );
}

#[tokio::test]
async fn messages_speak_the_language_of_the_client() {
    let system = shared_system().await;
    let client = system.client();
    let ask = async |language: Option<&str>| {
        let mut request =
            post(&client, LOGIN).query(&[("username", "nobody"), ("password", "12345")]);
        if let Some(language) = language {
            request = request.header("accept-language", language);
        }
        client.send(request).await.refused(10004)["status_msg"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (default, english) = (ask(None).await, ask(Some("en-GB,en;q=0.9")).await);
    let (chinese, other) = (
        ask(Some("zh-CN,zh;q=0.9,en;q=0.8")).await,
        ask(Some("fr")).await,
    );
    assert!(
        default.is_ascii() && default == english && default == other,
        "{default}"
    );
    assert!(
        chinese
            .chars()
            .any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)),
        "{chinese}"
    );
}
