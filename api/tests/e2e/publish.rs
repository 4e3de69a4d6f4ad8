//! Files that are no video or break a rule are refused with a reason, and nothing of them is kept.

use futures::stream;
use reqwest::{Body, Method, multipart};
use testkit::{Client, Reply, Tripwire, media};

use crate::{
    MAX_UPLOAD,
    shapes::videos,
    shared_system,
    store::{assert_empty, assert_video_objects},
    system_builder,
};

#[tokio::test]
async fn what_is_no_whole_video_is_refused_and_leaves_nothing() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    let tripwire = Tripwire::set();
    let cases = [
        ("an empty file", 10001, Vec::new()),
        ("text", 10010, media::text()),
        ("a still picture", 10010, media::picture()),
        ("sound alone", 10010, media::audio_only()),
        (
            "an mp4 cut short, index in front",
            10010,
            media::cut_short(media::mp4()),
        ),
        (
            "an mp4 cut short, index at the end",
            10010,
            media::cut_short(media::mp4_moov_at_end()),
        ),
        ("a mov cut short", 10010, media::cut_short(media::mov())),
        ("a webm cut short", 10010, media::cut_short(media::webm())),
        ("a photo", 10010, media::photo()),
        (
            "a cut mp4 of several parts",
            10010,
            media::cut_short(media::mp4_of_size(MAX_UPLOAD)),
        ),
        ("an HLS playlist", 10010, media::hls(&tripwire.url("x.ts"))),
        (
            "a concat script",
            10010,
            media::concat(&tripwire.url("x.mp4")),
        ),
        (
            "a DASH manifest",
            10010,
            media::dash(&tripwire.url("x.mp4")),
        ),
        (
            "a session description",
            10010,
            media::sdp(tripwire.address()),
        ),
    ];
    for (case, code, file) in cases {
        let reply = client.publish(&account.token, "A film", file).await;
        assert_eq!(
            (reply.http, reply.try_code()),
            (200, Some(code)),
            "{case}: {}",
            reply.text
        );
        assert!(!reply.message().is_empty(), "{case}: no reason");
        assert_empty(&system, case).await;
    }
    assert_eq!(tripwire.visits(), 0, "ffmpeg was made to ask another host");
    assert_eq!(videos(&client.works(account.user_id).await.ok()).len(), 0);

    // Bytes behind the film are no fault.
    let with_tail = [media::mp4(), b"and more".to_vec()].concat();
    client
        .publish(&account.token, "A film", with_tail)
        .await
        .ok();
    assert_video_objects(&system, 1).await;

    // An index may name another file. Whatever becomes of the film, that file is not opened.
    let elsewhere = media::dref(&tripwire.url("x.mp4"));
    client.publish(&account.token, "A film", elsewhere).await;
    assert_eq!(
        tripwire.visits(),
        0,
        "the file that an index names was opened"
    );
}

#[tokio::test]
async fn a_form_without_token_or_title_or_file_is_refused_and_leaves_nothing() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    let form = multipart::Form::new;
    let film = || multipart::Part::bytes(media::mp4()).file_name("film.mp4");
    let token = || account.token.clone();
    let cases = [
        (
            "no file",
            10001,
            "data",
            form().text("token", token()).text("title", "x"),
        ),
        (
            "no title",
            10001,
            "title",
            form().text("token", token()).part("data", film()),
        ),
        (
            "an empty title",
            10001,
            "title",
            form()
                .text("token", token())
                .text("title", "")
                .part("data", film()),
        ),
        (
            "an empty title, last",
            10001,
            "title",
            form()
                .text("token", token())
                .part("data", film())
                .text("title", ""),
        ),
        (
            "two files",
            10001,
            "data",
            form()
                .text("token", token())
                .text("title", "x")
                .part("data", film())
                .part("data", film()),
        ),
        (
            "no token",
            10002,
            "",
            form().text("title", "x").part("data", film()),
        ),
        (
            "an empty token",
            10002,
            "",
            form()
                .text("token", "")
                .text("title", "x")
                .part("data", film()),
        ),
        (
            "a bad token",
            10003,
            "",
            form()
                .text("token", "bad")
                .text("title", "x")
                .part("data", film()),
        ),
        (
            "a bad token after the file",
            10003,
            "",
            form()
                .part("data", film())
                .text("title", "x")
                .text("token", "bad"),
        ),
        (
            "no token after the file",
            10002,
            "",
            form().part("data", film()).text("title", "x"),
        ),
    ];
    for (case, code, named, form) in cases {
        let reply = client.publish_form(form).await;
        assert_eq!(
            (reply.http, reply.try_code()),
            (200, Some(code)),
            "{case}: {}",
            reply.text
        );
        assert!(reply.message().contains(named), "{case}: {}", reply.text);
        assert_empty(&system, case).await;
    }
    for content_type in ["multipart/form-data", "multipart/form-data; boundary=b"] {
        let request = client
            .request(Method::POST, "/douyin/publish/action/")
            .bearer_auth(&account.token)
            .header("content-type", content_type)
            .body("--b\r\nnonsense");
        client.send(request).await.refused(10001);
        assert_empty(&system, content_type).await;
    }
}

#[tokio::test]
async fn a_title_has_1_to_100_characters_without_white_space_at_its_edges() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let longest = "影".repeat(100);
    client
        .publish(&account.token, &longest, media::mp4())
        .await
        .ok();
    client
        .publish(&account.token, " 🎬\n", media::mp4())
        .await
        .ok();
    let too_long = "影".repeat(101);
    for bad in ["", " ", too_long.as_str()] {
        let body = client
            .publish(&account.token, bad, media::mp4())
            .await
            .refused(10001);
        assert!(
            body["status_msg"].as_str().unwrap().contains("title"),
            "{body}"
        );
    }
    let list = videos(&client.works(account.user_id).await.ok());
    let titles: Vec<_> = list
        .iter()
        .map(|video| video["title"].as_str().unwrap())
        .collect();
    assert_eq!(titles, ["🎬", &longest]);
}

/// Publishes with or without a Content-Length.
async fn publish(client: &Client, token: Option<&str>, file: Vec<u8>, chunked: bool) -> Reply {
    let data = if chunked {
        let pieces: Vec<_> = file
            .chunks(100_000)
            .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
            .collect();
        multipart::Part::stream(Body::wrap_stream(stream::iter(pieces)))
    } else {
        multipart::Part::bytes(file)
    };
    let mut form = multipart::Form::new().text("title", "Large");
    if let Some(token) = token {
        form = form.text("token", token.to_owned());
    }
    client
        .publish_form(form.part("data", data.file_name("film.mp4")))
        .await
}

#[tokio::test]
async fn a_file_may_have_the_largest_size_and_not_a_byte_more() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    let token = Some(account.token.as_str());
    for chunked in [false, true] {
        let reply = publish(&client, token, media::mp4_of_size(MAX_UPLOAD + 1), chunked).await;
        reply.failed(413, 10011);
        assert_empty(&system, "one byte too much").await;
        // A stranger's file, which waits for its token, is bounded too.
        let reply = publish(&client, None, media::mp4_of_size(MAX_UPLOAD + 1), chunked).await;
        reply.failed(413, 10011);
        // The rest is read all the same, so that the client sees the answer.
        let large = media::mp4_of_size(MAX_UPLOAD * 5 / 4);
        let reply = publish(&client, token, large, chunked).await;
        reply.failed(413, 10011);
        assert_empty(&system, "a quarter too much").await;
    }
    for (count, chunked) in [(1, false), (2, true)] {
        publish(&client, token, media::mp4_of_size(MAX_UPLOAD), chunked)
            .await
            .ok();
        assert_video_objects(&system, count).await;
    }
}

#[tokio::test]
async fn nothing_of_what_a_file_is_called_or_said_to_be_gets_anywhere() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let long = "x".repeat(10_000);
    let names = [
        "../../../etc/passwd",
        "..\\..\\windows",
        "<script>alert(1)</script>.html",
        "%00%2e%2e%2f.mp4",
        "电影.mp4",
        "",
        &long,
    ];
    for name in names {
        let file = multipart::Part::bytes(media::mp4())
            .file_name(name.to_owned())
            .mime_str("text/html")
            .unwrap();
        let form = multipart::Form::new()
            .text("token", account.token.clone())
            .text("title", "Called whatever")
            .part("data", file);
        client.publish_form(form).await.ok();
    }
    let works = videos(&client.works(account.user_id).await.ok());
    assert_eq!(works.len(), names.len());
    for video in works {
        let url = video["play_url"].as_str().unwrap();
        let (path, _) = url.split_once('?').unwrap();
        let key = path.rsplit_once("/videos/").unwrap().1;
        let id = key.strip_suffix(".mp4").unwrap();
        let made = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        assert!(id.len() == 36 && id.bytes().all(made), "{key}");
        let (status, headers, _) = client.fetch(url, None).await;
        assert_eq!(
            (status, &headers["content-type"]),
            (200, &"video/mp4".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn why_a_file_is_refused_is_told_in_the_language_of_the_client() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    for (file, english, chinese) in [
        (
            media::text(),
            "data: mp4, mov, webm or mkv is expected",
            "data：应为 mp4、mov、webm 或 mkv",
        ),
        (
            media::cut_short(media::mp4()),
            "the file is cut short",
            "文件不完整",
        ),
        (
            media::audio_only(),
            "the file has no video stream",
            "文件中没有视频画面",
        ),
    ] {
        for (language, starts, says) in [
            (
                "en",
                "this file is not a video that can be published: ",
                english,
            ),
            ("zh-CN", "该文件不是可发布的视频：", chinese),
        ] {
            let form = multipart::Form::new()
                .text("token", account.token.clone())
                .text("title", "A film")
                .part("data", multipart::Part::bytes(file.clone()));
            let request = client
                .request(Method::POST, "/douyin/publish/action/")
                .header("accept-language", language)
                .multipart(form);
            let reply = client.send(request).await;
            assert_eq!(reply.code(), 10010, "{}", reply.text);
            assert_eq!(reply.message(), format!("{starts}{says}"));
        }
    }
}
