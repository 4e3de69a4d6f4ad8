//! Ids and other whole numbers, as different clients write them.

use serde_json::json;
use testkit::{Account, Client};

use crate::{shapes::assert_user, shared_system};

async fn ask(client: &Client, account: &Account, user_id: &str) -> testkit::Reply {
    client
        .get(
            "/douyin/user/",
            &[("user_id", user_id), ("token", &account.token)],
        )
        .await
}

#[tokio::test]
async fn an_id_is_read_in_every_notation() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let id = account.user_id;
    for written in [
        id.to_string(),
        format!("{id}.0"),
        format!("{id}.000"),
        format!("{id}e0"),
        format!("{id}E+00"),
        format!("{id}0e-1"),
        format!("0.{id:06}e6"),
        format!("0.{id:06}e+06"),
    ] {
        let body = ask(&client, &account, &written).await.ok();
        assert_user(&body["user"]);
        assert_eq!(body["user"]["id"], id, "{written}");
    }
    for written in [
        json!(id),
        json!(id.to_string()),
        json!(id as f64),
        json!(format!("{id}.0")),
    ] {
        let body = json!({"user_id": written, "token": account.token});
        let request = client
            .request(reqwest::Method::GET, "/douyin/user/")
            .json(&body);
        assert_eq!(client.send(request).await.ok()["user"]["id"], id, "{body}");
    }
}

#[tokio::test]
async fn anything_but_a_whole_number_from_1_up_is_refused_by_name() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    for written in [
        "0",
        "-1",
        "1.5",
        "15e-1",
        "abc",
        "1x",
        "0x1",
        "--1",
        "NaN",
        "inf",
        "9223372036854775808",
        "1e19",
        "1e999999999",
        "99999999999999999999999999999999",
        "1 2",
        "一",
    ] {
        for path in [
            "/douyin/user/",
            "/douyin/publish/list/",
            "/douyin/favorite/list/",
        ] {
            let query = [("user_id", written), ("token", account.token.as_str())];
            let reply = client.get(path, &query).await;
            let message = reply.refused(10001)["status_msg"].to_string();
            assert!(message.contains("user_id"), "{path} {written}: {message}");
        }
    }
}

#[tokio::test]
async fn a_user_who_does_not_exist_is_10006_in_lists_too() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    for nobody in ["9007199254740991", "9223372036854775807"] {
        ask(&client, &account, nobody).await.refused(10006);
        client
            .publish_list(&[("user_id", nobody)])
            .await
            .refused(10006);
        client
            .favorite_list(&[("user_id", nobody)])
            .await
            .refused(10006);
    }
}
