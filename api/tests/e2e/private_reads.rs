//! What is a user's alone: chats, friends with their latest messages, the feed of the followed, drafts, blocks. A token that was revoked reads none
//! of it.

use std::time::Duration;

use testkit::{Client, eventually, media};

use crate::{
    scene::{each_api, publish_video},
    shapes::videos,
    system_builder,
};

/// Until a process that has cached the account asks again: 5 s, on a busy machine.
const REVOKED: Duration = Duration::from_secs(15);

/// Every route that shows what is a user's alone, asked with this token: its code. `peer_id`: somebody else.
pub async fn private_reads(client: &Client, token: &str, peer_id: i64) -> Vec<(&'static str, i64)> {
    let own = [("token", token)];
    let replies = [
        ("chat", client.chat(token, peer_id, None).await),
        ("friends", client.relation_list("friend", &own).await),
        (
            "feed of the followed",
            client.get("/douyin/feed/following/", &own).await,
        ),
        ("own works", client.publish_list(&own).await),
        ("blocks", client.get("/douyin/user/block/list/", &own).await),
    ];
    let codes = replies.map(|(what, reply)| (what, reply.code()));
    codes.into()
}

/// Whether all of them had this code.
pub fn all_are(code: i64, reads: &[(&str, i64)]) -> bool {
    reads.iter().all(|(_, each)| *each == code)
}

#[tokio::test]
async fn a_token_that_has_ended_reads_no_chat_no_friends_and_no_draft_in_any_process() {
    // Without a transcoder: what needs one stays a draft.
    let system = system_builder().instances("api", 2).start().await;
    let apis = each_api(&system).await;
    let (client, peer) = (&apis[0], apis[0].new_account().await.user_id);
    let account = client.new_account().await;
    let published = publish_video(client, &account).await;
    let draft = client.publish(&account.token, "A draft", media::mpeg4());
    draft.await.ok();
    let own = [("token", account.token.as_str())];
    let works = videos(&client.publish_list(&own).await.ok());
    let draft = works.iter().find(|work| work["state"] == "processing");
    let draft = draft.unwrap()["id"].as_i64().unwrap();
    let refused = async |client: &Client, token: &str| {
        let reads = private_reads(client, token, peer).await;
        let draft = client.video(draft, token).await.code();
        all_are(10003, &reads) && draft == 10003
    };
    let shown = async |client: &Client, token: &str| {
        let reads = private_reads(client, token, peer).await;
        assert!(all_are(0, &reads), "{reads:?}");
        assert_eq!(client.video(draft, token).await.code(), 0);
    };
    // Both processes know the account from now on.
    for api in &apis {
        shown(api, &account.token).await;
    }
    client.post("/douyin/user/logout/", &own).await.ok();
    assert!(refused(client, &account.token).await);
    eventually(
        REVOKED,
        "nothing private from the other process",
        async || refused(&apis[1], &account.token).await.then_some(()),
    )
    .await;
    let again = client.login(&account.name, &account.password).await.ok();
    for api in &apis {
        shown(api, again["token"].as_str().unwrap()).await;
        // What anybody may see is shown to whoever has a token that hasn't expired.
        api.video(published, &account.token).await.ok();
    }
}
