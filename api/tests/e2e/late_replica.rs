//! Follows and messages on a replica that is 5 s late: the very next request shows what was acknowledged.

use testkit::{Account, Client, Replicated};

use crate::{
    scene::ids,
    shapes::{friends, messages, users},
    system_builder,
};

const SECONDS_LATE: u32 = 5;
const ROUNDS: usize = 4;

async fn list(client: &Client, which: &str, of: &Account) -> Vec<i64> {
    let id = of.user_id.to_string();
    let reply = client.relation_list(which, &[("user_id", &id)]).await;
    ids(&users(&reply.ok()))
}

#[tokio::test]
async fn what_was_followed_or_sent_is_seen_by_the_very_next_request() {
    let servers = Replicated::start(1).await;
    let system = system_builder()
        .set("mysql.primary_url", servers.url(0))
        .set("mysql.replica_urls", servers.url(1))
        .set("mysql.migrate_url", servers.url(0))
        .start()
        .await;
    servers.delay(1, SECONDS_LATE).await;
    let client = system.client();
    let (ann, bob) = (client.new_account().await, client.new_account().await);
    let mut newest = 0;
    for round in 0..ROUNDS {
        client.follow(&ann.token, bob.user_id).await.ok();
        assert_eq!(list(&client, "follow", &ann).await, [bob.user_id]);
        assert_eq!(list(&client, "follower", &bob).await, [ann.user_id]);
        let seen = client.user(bob.user_id, &ann.token).await.ok();
        assert_eq!(seen["user"]["is_follow"], true);
        assert_eq!(seen["user"]["follower_count"], 1);
        client.follow(&bob.token, ann.user_id).await.ok();

        let text = format!("in round {round}");
        client
            .send_message(&ann.token, bob.user_id, &text)
            .await
            .ok();
        for (who, with) in [(&bob, &ann), (&ann, &bob)] {
            let chat = client.chat(&who.token, with.user_id, Some(newest)).await;
            let new = messages(&chat.ok());
            assert_eq!(new.len(), 1, "{new:#?}");
            assert_eq!(new[0]["content"], *text);
            let query = [("token", who.token.as_str())];
            let friends = friends(&client.relation_list("friend", &query).await.ok());
            assert_eq!(friends[0]["id"], with.user_id);
            assert_eq!(friends[0]["message"], *text);
            assert_eq!(friends[0]["msgType"], i64::from(who.user_id == ann.user_id));
        }
        let chat = client.chat(&bob.token, ann.user_id, None).await.ok();
        newest = messages(&chat)[round]["create_time"].as_i64().unwrap();

        client.unfollow(&ann.token, bob.user_id).await.ok();
        assert!(list(&client, "follow", &ann).await.is_empty());
        assert!(list(&client, "follower", &bob).await.is_empty());
        let seen = client.user(bob.user_id, &ann.token).await.ok();
        assert_eq!(seen["user"]["is_follow"], false);
        assert_eq!(seen["user"]["follower_count"], 0);
    }
    // At the end as at the beginning, it isn't there yet.
    let eve = client.new_account().await;
    client.follow(&ann.token, eve.user_id).await.ok();
    let sql = format!(
        "SELECT COUNT(*) FROM follows WHERE followed_id = {}",
        eve.user_id
    );
    let on_replica: i64 = servers.value(1, &sql).await;
    let on_primary: i64 = servers.value(0, &sql).await;
    assert_eq!((on_primary, on_replica), (1, 0), "the replica is late");
}
