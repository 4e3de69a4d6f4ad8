//! The upload: each location and order of its parts, each way to be wrong; and nothing stays.

use reqwest::{Method, RequestBuilder, multipart};
use testkit::{Client, media};

use crate::{shapes::videos, shared_system};

/// Where token and title travel.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// As the app sends it.
    PartsThenFile,
    FileThenParts,
    TitleThenFileThenToken,
    QueryThenFile,
    BearerAndQuery,
}

const ORDERS: [Order; 5] = [
    Order::PartsThenFile,
    Order::FileThenParts,
    Order::TitleThenFileThenToken,
    Order::QueryThenFile,
    Order::BearerAndQuery,
];

/// What is sent; none: it is left out.
#[derive(Debug, Clone)]
struct Upload {
    token: Option<String>,
    title: Option<String>,
    data: Option<Vec<u8>>,
}

impl Order {
    fn request(self, client: &Client, upload: &Upload) -> RequestBuilder {
        let request = client.request(Method::POST, "/douyin/publish/action/");
        let text = |form: multipart::Form, name: &'static str, value: &Option<String>| match value {
            Some(value) => form.text(name, value.clone()),
            None => form,
        };
        let file = |form: multipart::Form| match &upload.data {
            Some(data) => {
                let part = multipart::Part::bytes(data.clone()).file_name("film.mp4");
                form.part("data", part)
            }
            None => form,
        };
        let (token, title) = (&upload.token, &upload.title);
        // So that a form without parts is a form all the same.
        let form = multipart::Form::new().text("unknown", "ignored");
        let in_query = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        match self {
            Self::PartsThenFile => {
                let parts = text(text(form, "token", token), "title", title);
                request.multipart(file(parts))
            }
            Self::FileThenParts => {
                let parts = text(file(form), "title", title);
                request.multipart(text(parts, "token", token))
            }
            Self::TitleThenFileThenToken => {
                let parts = file(text(form, "title", title));
                request.multipart(text(parts, "token", token))
            }
            Self::QueryThenFile => {
                let pairs = [in_query("token", token), in_query("title", title)];
                let pairs: Vec<_> = pairs.into_iter().flatten().collect();
                request.query(&pairs).multipart(file(form))
            }
            Self::BearerAndQuery => {
                let pairs: Vec<_> = in_query("title", title).into_iter().collect();
                let request = request.query(&pairs).multipart(file(form));
                match token {
                    Some(token) => request.bearer_auth(token),
                    None => request,
                }
            }
        }
    }
}

#[tokio::test]
async fn an_upload_that_is_wrong_in_whatever_order_is_refused_by_name_and_leaves_nothing() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let right = Upload {
        token: Some(account.token.clone()),
        title: Some("A title".to_owned()),
        data: Some(media::mp4()),
    };
    let title = |title: Option<&str>| Upload {
        title: title.map(str::to_owned),
        ..right.clone()
    };
    let token = |token: Option<&str>| Upload {
        token: token.map(str::to_owned),
        ..right.clone()
    };
    let data = |data: Option<Vec<u8>>| Upload {
        data,
        ..right.clone()
    };
    let cases = [
        (title(None), 10001, "title: is missing"),
        (title(Some("")), 10001, "title: at least 1 character"),
        (
            title(Some(&"好".repeat(101))),
            10001,
            "title: at most 100 characters",
        ),
        (token(None), 10002, "please log in"),
        (token(Some("")), 10002, "please log in"),
        (token(Some("not.a.token")), 10003, "please log in again"),
        (data(None), 10001, "data: is missing"),
        (data(Some(Vec::new())), 10001, "data: is empty"),
        (
            data(Some(media::text())),
            10010,
            "data: mp4, mov, webm or mkv is expected",
        ),
        (data(Some(media::cut_short(media::mp4()))), 10010, ""),
    ];
    for order in ORDERS {
        for (upload, code, says) in &cases {
            let reply = client.send(order.request(&client, upload)).await;
            let what = format!("{order:?} {says}: {}", reply.text);
            assert_eq!((reply.http, reply.try_code()), (200, Some(*code)), "{what}");
            assert!(reply.message().ends_with(says), "{what}");
        }
    }
    assert!(videos(&client.works(account.user_id).await.ok()).is_empty());
}
