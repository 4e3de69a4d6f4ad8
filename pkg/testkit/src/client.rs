//! A client of the HTTP API. It returns what it got; the tests judge it.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, header::HeaderMap, multipart};
use serde_json::Value;

/// The longest that any request of a test may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// A password that the contract accepts.
const PASSWORD: &str = "correct horse";

/// Speaks to one API.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

/// An answer: HTTP status, headers and JSON body.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub http: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Parsed body; `Null` when it is no JSON or there was no answer.
    pub body: Value,
    /// The body as it came, or why there is none.
    pub text: String,
}

/// A registered user.
#[derive(Debug, Clone)]
pub struct Account {
    /// User name.
    pub name: String,
    /// Password.
    pub password: String,
    /// As register told it.
    pub user_id: i64,
    /// As register told it.
    pub token: String,
}

impl Client {
    /// `base` is an address without a slash at the end.
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(REQUEST_LIMIT)
            .build();
        Self {
            base: base.to_owned(),
            http: http.expect("an HTTP client"),
        }
    }

    /// A request to `path` (with its leading slash), to be filled in and given to [`Client::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Sends; no answer at all is a [`Reply`] with HTTP status 0.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Reply::none(&error),
        };
        let (http, headers) = (answer.status().as_u16(), answer.headers().clone());
        match answer.text().await {
            Ok(text) => Reply {
                http,
                headers,
                body: serde_json::from_str(&text).unwrap_or_default(),
                text,
            },
            Err(error) => Reply::none(&error),
        }
    }

    /// GET with query parameters.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Reply {
        self.send(self.request(Method::GET, path).query(query))
            .await
    }

    /// POST with query parameters and no body, as the contract's app does.
    pub async fn post(&self, path: &str, query: &[(&str, &str)]) -> Reply {
        self.send(self.request(Method::POST, path).query(query))
            .await
    }

    /// POST with an urlencoded form.
    pub async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        self.send(self.request(Method::POST, path).form(form)).await
    }

    /// POST with a JSON body.
    pub async fn post_json(&self, path: &str, json: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(json)).await
    }

    /// Register.
    pub async fn register(&self, username: &str, password: &str) -> Reply {
        self.post(
            "/douyin/user/register/",
            &[("username", username), ("password", password)],
        )
        .await
    }

    /// Login.
    pub async fn login(&self, username: &str, password: &str) -> Reply {
        self.post(
            "/douyin/user/login/",
            &[("username", username), ("password", password)],
        )
        .await
    }

    /// Registers somebody whose name nobody has.
    pub async fn new_account(&self) -> Account {
        let name = format!("user-{:016x}", rand::random::<u64>());
        let reply = self.register(&name, PASSWORD).await.ok();
        Account {
            name,
            password: PASSWORD.to_owned(),
            user_id: reply["user_id"].as_i64().expect("a user_id"),
            token: reply["token"].as_str().expect("a token").to_owned(),
        }
    }

    /// A user by id.
    pub async fn user(&self, user_id: i64, token: &str) -> Reply {
        let id = user_id.to_string();
        self.get("/douyin/user/", &[("user_id", &id), ("token", token)])
            .await
    }

    /// Publishes `data` as the app does: parts token, title, data.
    pub async fn publish(&self, token: &str, title: &str, data: Vec<u8>) -> Reply {
        let form = multipart::Form::new()
            .text("token", token.to_owned())
            .text("title", title.to_owned())
            .part("data", file_part(data));
        self.publish_form(form).await
    }

    /// Publishes a form of the test's own making.
    pub async fn publish_form(&self, form: multipart::Form) -> Reply {
        self.send(
            self.request(Method::POST, "/douyin/publish/action/")
                .multipart(form),
        )
        .await
    }

    /// A user's works.
    pub async fn publish_list(&self, query: &[(&str, &str)]) -> Reply {
        self.get("/douyin/publish/list/", query).await
    }

    /// The works of `user_id`, asked for without a token.
    pub async fn works(&self, user_id: i64) -> Reply {
        self.publish_list(&[("user_id", &user_id.to_string())])
            .await
    }

    /// One video.
    pub async fn video(&self, video_id: i64, token: &str) -> Reply {
        let id = video_id.to_string();
        self.get("/douyin/video/", &[("video_id", &id), ("token", token)])
            .await
    }

    /// A feed page.
    pub async fn feed(&self, query: &[(&str, &str)]) -> Reply {
        self.get("/douyin/feed/", query).await
    }

    /// Likes a video.
    pub async fn like(&self, token: &str, video_id: i64) -> Reply {
        self.favorite_action(token, video_id, "1").await
    }

    /// Takes a like back.
    pub async fn unlike(&self, token: &str, video_id: i64) -> Reply {
        self.favorite_action(token, video_id, "2").await
    }

    async fn favorite_action(&self, token: &str, video_id: i64, action_type: &str) -> Reply {
        let video_id = video_id.to_string();
        let query = [
            ("token", token),
            ("video_id", &video_id),
            ("action_type", action_type),
        ];
        self.post("/douyin/favorite/action/", &query).await
    }

    /// What a user likes.
    pub async fn favorite_list(&self, query: &[(&str, &str)]) -> Reply {
        self.get("/douyin/favorite/list/", query).await
    }

    /// Adds a comment.
    pub async fn comment(&self, token: &str, video_id: i64, text: &str) -> Reply {
        let video_id = video_id.to_string();
        let query = [
            ("token", token),
            ("video_id", &video_id),
            ("action_type", "1"),
            ("comment_text", text),
        ];
        self.post("/douyin/comment/action/", &query).await
    }

    /// Deletes a comment.
    pub async fn delete_comment(&self, token: &str, video_id: i64, comment_id: i64) -> Reply {
        let (video_id, comment_id) = (video_id.to_string(), comment_id.to_string());
        let query = [
            ("token", token),
            ("video_id", &video_id),
            ("action_type", "2"),
            ("comment_id", &comment_id),
        ];
        self.post("/douyin/comment/action/", &query).await
    }

    /// The comments under a video.
    pub async fn comment_list(&self, query: &[(&str, &str)]) -> Reply {
        self.get("/douyin/comment/list/", query).await
    }

    /// The comments under `video_id`, asked for without a token.
    pub async fn comments(&self, video_id: i64) -> Reply {
        self.comment_list(&[("video_id", &video_id.to_string())])
            .await
    }

    /// Follows a user.
    pub async fn follow(&self, token: &str, user_id: i64) -> Reply {
        self.relation_action(token, user_id, "1").await
    }

    /// Ends a follow.
    pub async fn unfollow(&self, token: &str, user_id: i64) -> Reply {
        self.relation_action(token, user_id, "2").await
    }

    async fn relation_action(&self, token: &str, user_id: i64, action_type: &str) -> Reply {
        let to_user_id = user_id.to_string();
        let query = [
            ("token", token),
            ("to_user_id", &to_user_id),
            ("action_type", action_type),
        ];
        self.post("/douyin/relation/action/", &query).await
    }

    /// One of the lists of users: "follow", "follower" or "friend".
    pub async fn relation_list(&self, which: &str, query: &[(&str, &str)]) -> Reply {
        self.get(&format!("/douyin/relation/{which}/list/"), query)
            .await
    }

    /// Sends a message.
    pub async fn send_message(&self, token: &str, to_user_id: i64, content: &str) -> Reply {
        let to_user_id = to_user_id.to_string();
        let query = [
            ("token", token),
            ("to_user_id", &to_user_id),
            ("action_type", "1"),
            ("content", content),
        ];
        self.post("/douyin/message/action/", &query).await
    }

    /// The messages with a user, later than `pre_msg_time` if that is given.
    pub async fn chat(&self, token: &str, with: i64, pre_msg_time: Option<i64>) -> Reply {
        let (with, time) = (with.to_string(), pre_msg_time.unwrap_or(0).to_string());
        let mut query = vec![("token", token), ("to_user_id", &with)];
        query.extend(pre_msg_time.map(|_| ("pre_msg_time", time.as_str())));
        self.get("/douyin/message/chat/", &query).await
    }

    /// GETs any URL, for example a `play_url`; status, headers and bytes.
    pub async fn fetch(&self, url: &str, range: Option<&str>) -> (u16, HeaderMap, Vec<u8>) {
        let mut request = self.http.get(url);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.expect("a body").to_vec();
        (status, headers, bytes)
    }
}

/// The part `data` of a publish: a file, as apps name it.
pub(crate) fn file_part(data: Vec<u8>) -> multipart::Part {
    multipart::Part::bytes(data)
        .file_name("video.mp4")
        .mime_str("video/mp4")
        .expect("a media type")
}

impl Reply {
    fn none(error: &reqwest::Error) -> Self {
        Self {
            http: 0,
            headers: HeaderMap::new(),
            body: Value::Null,
            text: format!("no answer: {error:?}"),
        }
    }

    /// `status_code`, if there is one.
    pub fn try_code(&self) -> Option<i64> {
        self.body.get("status_code")?.as_i64()
    }

    /// `status_code`; panics when there is none.
    pub fn code(&self) -> i64 {
        self.try_code()
            .unwrap_or_else(|| panic!("no status_code: HTTP {} {}", self.http, self.text))
    }

    /// `status_msg`, which is always there.
    pub fn message(&self) -> &str {
        let message = self.body.get("status_msg").and_then(Value::as_str);
        message.unwrap_or_else(|| panic!("no status_msg: HTTP {} {}", self.http, self.text))
    }

    /// The body of a success: HTTP 200 and `status_code` 0.
    pub fn ok(self) -> Value {
        assert_eq!((self.http, self.code()), (200, 0), "{}", self.text);
        self.body
    }

    /// The body of an outcome of the contract: HTTP 200, this `status_code`, a `status_msg` for the user.
    pub fn refused(self, code: i64) -> Value {
        assert_eq!((self.http, self.code()), (200, code), "{}", self.text);
        assert!(!self.message().is_empty(), "no reason: {}", self.text);
        self.body
    }

    /// A failure outside the contract's outcomes: its HTTP status, and a JSON body with `status_code`.
    pub fn failed(self, http: u16, code: i64) -> Value {
        assert_eq!((self.http, self.code()), (http, code), "{}", self.text);
        assert!(!self.message().is_empty(), "no reason: {}", self.text);
        self.body
    }

    /// The `X-Request-Id` of the answer.
    pub fn request_id(&self) -> &str {
        let id = self.headers.get("x-request-id").expect("an X-Request-Id");
        id.to_str().expect("a readable X-Request-Id")
    }
}
