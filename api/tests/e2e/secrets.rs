//! Secrets: none is in any log at any level, and a weak one prevents the start.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, multipart};
use serde_json::json;
use testkit::{Account, Client, JWT_KEYS, Process, RPC_SECRET, Reply, System, environment, media};

use crate::{MAX_UPLOAD, scene::publish_video, shapes::videos, system_builder};

const SOON: Duration = Duration::from_secs(20);
const SERVICES: [&str; 5] = ["api", "user", "video", "favorite", "comment"];
const PUBLISH: &str = "/douyin/publish/action/";
const LOGIN: &str = "/douyin/user/login/";

/// All that must not be in a log, as it could stand there.
struct Secrets(Vec<String>);

impl Secrets {
    /// What a system has before anybody uses it.
    fn of(system: &System) -> Self {
        let mut secrets = Self(vec![
            // Of whichever URL: those that only ffmpeg sees, too.
            "X-Amz-Signature=".to_owned(),
            "X-Amz-Credential=".to_owned(),
            RPC_SECRET.to_owned(),
            JWT_KEYS.to_owned(),
            JWT_KEYS.split_once(':').unwrap().1.to_owned(),
            environment::s3_secret_key(),
        ]);
        // Each setting that is a URL with an account.
        for url in system.variables().values() {
            let account = url
                .split_once("://")
                .and_then(|(_, rest)| rest.split_once('@'));
            let password = account.and_then(|(account, _)| account.split_once(':'));
            if let Some((_, password)) = password {
                secrets.add(password);
            }
        }
        assert!(secrets.0.len() >= 8, "the accounts at the database");
        secrets
    }

    fn add(&mut self, secret: &str) {
        assert!(secret.len() >= 8, "{secret:?} may be in a log by chance");
        self.0.push(secret.to_owned());
    }

    fn add_password(&mut self, password: &str) {
        self.add(password);
        self.add(&password.replace(' ', "%20"));
        self.add(&password.replace(' ', "+"));
    }

    /// The whole, and the part that makes it valid.
    fn add_token(&mut self, token: &str) {
        self.add(token);
        self.add(token.rsplit('.').next().unwrap());
    }

    fn add_url(&mut self, url: &str) {
        let (_, signature) = url.split_once("X-Amz-Signature=").unwrap();
        self.add(signature.split('&').next().unwrap());
    }
}

/// The first line of a log that has this text.
fn telling<'a>(log: &'a str, text: &str) -> Option<&'a str> {
    log.lines().find(|line| line.contains(text))
}

/// Who was asked by a request, and the request's id: to be found in that service's log.
type Asked = Vec<(&'static str, String)>;

fn ask(asked: &mut Asked, service: &'static str, reply: &Reply) {
    asked.push((service, reply.request_id().to_owned()));
}

/// Register and login, right and wrong, in every place that a password may be in, and in bodies that can't be read.
async fn accounts(client: &Client, secrets: &mut Secrets, asked: &mut Asked) -> Account {
    let (name, password) = ("secret-keeper", "correct horse battery staple");
    let (wrong, unknown) = ("incorrect horse battery", "a password of nobody's");
    for password in [password, wrong, unknown] {
        secrets.add_password(password);
    }
    let registered = client.register(name, password).await;
    ask(asked, "user", &registered);
    let registered = registered.ok();
    secrets.add_token(registered["token"].as_str().unwrap());
    client.register(name, password).await.refused(10005);
    client.login(name, wrong).await.refused(10004);
    client
        .login("nobody-of-this-name", unknown)
        .await
        .refused(10004);

    let post = || client.request(Method::POST, LOGIN);
    let pairs = [("username", name), ("password", password)];
    let parts = multipart::Form::new()
        .text("username", name)
        .text("password", password);
    for request in [
        post().query(&pairs),
        post().form(&pairs),
        post().json(&json!({ "username": name, "password": password })),
        post().multipart(parts),
        // Beside the point, but known all the same.
        post().query(&pairs).form(&[("password", wrong)]),
    ] {
        let login = client.send(request).await.ok();
        secrets.add_token(login["token"].as_str().unwrap());
    }
    for (content_type, body) in [
        (
            "application/json",
            format!("{{\"password\": \"{password}\""),
        ),
        (
            "application/json",
            format!("{{\"username\": 1, \"password\": [\"{password}\"]}}"),
        ),
        (
            "application/x-www-form-urlencoded",
            format!("password={password}&username=%zz"),
        ),
        (
            "multipart/form-data; boundary=b",
            format!("--b\r\ncontent-disposition: form-data; name=\"password\"\r\n\r\n{password}"),
        ),
        ("text/plain", format!("password={password}")),
    ] {
        let request = post().header("content-type", content_type).body(body);
        assert_ne!(client.send(request).await.code(), 0, "{content_type}");
    }
    Account {
        name: name.to_owned(),
        password: password.to_owned(),
        user_id: registered["user_id"].as_i64().unwrap(),
        token: registered["token"].as_str().unwrap().to_owned(),
    }
}

/// A film by the token in each place; and files that are refused by the API, by ffprobe and by their size.
async fn films(client: &Client, account: &Account, asked: &mut Asked) -> i64 {
    let token = account.token.as_str();
    let post = || client.request(Method::POST, PUBLISH);
    let form = |file: Vec<u8>| {
        let file = multipart::Part::bytes(file).file_name("film.mp4");
        multipart::Form::new()
            .text("title", "Film")
            .part("data", file)
    };
    let requests: [RequestBuilder; 3] = [
        post()
            .query(&[("token", token)])
            .multipart(form(media::mp4())),
        post().bearer_auth(token).multipart(form(media::mp4())),
        // Its file waits for it.
        post().multipart(form(media::mp4()).text("token", account.token.clone())),
    ];
    for request in requests {
        let reply = client.send(request).await;
        ask(asked, "video", &reply);
        reply.ok();
    }
    for (code, file) in [
        (10010, media::text()),
        (10010, media::cut_short(media::mp4())),
        (10010, media::audio_only()),
        (10001, Vec::new()),
        (10011, media::mp4_of_size(MAX_UPLOAD + 1)),
    ] {
        let reply = client.publish(token, "No film", file).await;
        assert_eq!(reply.code(), code, "{}", reply.text);
    }
    publish_video(client, account).await
}

/// Likes, comments, and every list; the films fetched by their URLs, good and tampered with.
async fn audience(
    client: &Client,
    account: &Account,
    video_id: i64,
    secrets: &mut Secrets,
    asked: &mut Asked,
) {
    let token = account.token.as_str();
    let id = video_id.to_string();
    for query in [vec![("token", token)], vec![]] {
        let feed = client.feed(&query).await;
        ask(asked, "video", &feed);
        for video in videos(&feed.ok()) {
            for url in ["play_url", "cover_url"] {
                let url = video[url].as_str().unwrap();
                secrets.add_url(url);
                assert_eq!(client.fetch(url, None).await.0, 200);
                let forged = url.replace("X-Amz-Signature=", "X-Amz-Signature=0");
                assert_ne!(client.fetch(&forged, None).await.0, 200);
            }
        }
    }
    let own = [("token", token)];
    client.user(account.user_id, token).await.ok();
    client.publish_list(&own).await.ok();
    let like = client.like(token, video_id).await;
    ask(asked, "favorite", &like);
    like.ok();
    client.favorite_list(&own).await.ok();
    let comment = client.comment(token, video_id, "Well").await;
    ask(asked, "comment", &comment);
    let comment_id = comment.ok()["comment"]["id"].as_i64().unwrap();
    let query = [("token", token), ("video_id", &id)];
    client.comment_list(&query).await.ok();
    let delete = client.delete_comment(token, video_id, comment_id).await;
    delete.ok();
    client.unlike(token, video_id).await.ok();
}

/// A token in every place that one may be in and in some where none is looked for; good, broken and foreign ones.
async fn tokens_everywhere(client: &Client, token: &str, secrets: &mut Secrets) {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    let broken = format!("{message}.{turned}");
    let foreign = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.a-signature-of-somebody-elses";
    for token in [token, &broken, foreign] {
        secrets.add_token(token);
        let pair = [("token", token)];
        for path in ["/douyin/user/", "/douyin/feed/", PUBLISH, "/nowhere"] {
            let parts = multipart::Form::new().text("token", token.to_owned());
            for method in [Method::GET, Method::POST] {
                let request = || client.request(method.clone(), path);
                for request in [
                    request().query(&pair),
                    request().bearer_auth(token),
                    request().header("authorization", token),
                    request().header("x-token", token),
                    request().form(&pair),
                    request().json(&json!({ "token": token })),
                ] {
                    client.send(request).await;
                }
            }
            client
                .send(client.request(Method::POST, path).multipart(parts))
                .await;
        }
    }
}

/// Stops all processes, so that each log is whole; while the services go, the API is asked in vain.
async fn stop(system: &System, account: &Account) {
    let stop = async |services: &[&str]| {
        let processes = || services.iter().map(|name| &system.instances(name)[0]);
        processes().for_each(Process::terminate);
        for process in processes() {
            let status = process.ended(SOON).await;
            assert!(status.success(), "{services:?}: {status}");
        }
    };
    let (api, services) = SERVICES.split_at(1);
    stop(services).await;
    let client = system.client();
    let (token, id) = (account.token.as_str(), account.user_id);
    let in_vain = [
        client.login(&account.name, &account.password).await,
        client.user(id, token).await,
        client.publish(token, "In vain", media::mp4()).await,
        client.like(token, 1).await,
        client.comment(token, 1, "In vain").await,
    ];
    for reply in in_vain {
        assert!(reply.http >= 500, "{}", reply.text);
    }
    stop(api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_token_or_signature_is_in_any_log_however_much_is_logged() {
    let system = system_builder().set("log.filter", "debug").start().await;
    let client = system.client();
    let mut secrets = Secrets::of(&system);
    let mut asked = Asked::new();
    let account = accounts(&client, &mut secrets, &mut asked).await;
    let hash = "SELECT password_hash FROM users WHERE name = 'secret-keeper'";
    secrets.add(&system.database().value::<String>(hash).await);
    let video_id = films(&client, &account, &mut asked).await;
    audience(&client, &account, video_id, &mut secrets, &mut asked).await;
    tokens_everywhere(&client, &account.token, &mut secrets).await;
    stop(&system, &account).await;

    let mut logs = Vec::new();
    for service in SERVICES {
        let log = system.instances(service)[0].log();
        // That what is looked for could be there.
        assert!(
            telling(&log, "\"DEBUG\"").is_some(),
            "{service} logs too little"
        );
        logs.push((service, log));
    }
    let mut found = 0;
    for (service, id) in &asked {
        for (name, log) in &logs {
            if name == service || *name == "api" {
                assert!(telling(log, id).is_some(), "{name} doesn't tell {id}");
                found += 1;
            }
        }
    }
    assert!(found >= 16, "{found}");
    for secret in &secrets.0 {
        for (service, log) in &logs {
            assert_eq!(telling(log, secret), None, "{service} tells {secret}");
        }
    }
}

#[tokio::test]
async fn in_production_no_process_starts_with_a_secret_that_is_missing_or_weak() {
    let good = [
        ("DOUSHENG_ENVIRONMENT", "production"),
        ("DOUSHENG_MYSQL__PRIMARY_URL", "mysql://a:one@127.0.0.1:1/x"),
        (
            "DOUSHENG_MYSQL__REPLICA_URLS",
            "mysql://b:two@127.0.0.1:1/x",
        ),
        ("DOUSHENG_OBJECT_STORE__ACCESS_KEY", "an-access-key"),
        ("DOUSHENG_OBJECT_STORE__SECRET_KEY", "a-secret-key"),
        ("DOUSHENG_RPC__SECRET", RPC_SECRET),
        ("DOUSHENG_AUTH__JWT_KEYS", JWT_KEYS),
        ("DOUSHENG_HTTP__LISTEN", "127.0.0.1:0"),
    ];
    let (short_key, short) = (
        "test:31-bytes-are-too-few-for-a-key",
        "31-bytes-are-one-too-few-for-it",
    );
    let mut cases = Vec::new();
    for service in SERVICES {
        cases.push((service, "DOUSHENG_RPC__SECRET", "", "rpc.secret"));
        cases.push((service, "DOUSHENG_RPC__SECRET", short, "rpc.secret"));
    }
    cases.push(("api", "DOUSHENG_AUTH__JWT_KEYS", "", "auth.jwt_keys"));
    cases.push(("api", "DOUSHENG_AUTH__JWT_KEYS", short_key, "auth.jwt_keys"));
    for (service, variable, bad, named) in cases {
        let variables = good.into_iter().filter(|(name, _)| *name != variable);
        let mut variables: Vec<_> = variables.collect();
        if !bad.is_empty() {
            variables.push((variable, bad));
        }
        let process = Process::workspace_binary(service, variables);
        let status = process.ended(SOON).await;
        assert_eq!(status.code(), Some(1), "{service} {variable}");
        let log = process.log();
        assert!(log.contains(named), "{service} {variable}: {log}");
        assert!(bad.is_empty() || !log.contains(bad), "{log}");
    }
}
