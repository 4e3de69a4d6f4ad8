//! Account care: a new password, the end of all tokens, the end of the account, blocks; and what operators do.

use std::{process::Command, time::Duration};

use reqwest::Method;
use serde_json::json;
use testkit::{Account, Client, Reply, System, eventually, media};

use crate::{
    private_reads::{all_are, private_reads},
    scene::{ids, publish_video, user_counts},
    shapes::{comments, videos},
    shared_system, system_builder,
};

/// Until what is left of a deleted account is gone, on a busy machine.
const GONE: Duration = Duration::from_secs(30);

async fn post(client: &Client, path: &str, account: &Account, more: &[(&str, &str)]) -> Reply {
    let query = [&[("token", account.token.as_str())], more].concat();
    client.post(path, &query).await
}

/// Whether the token may write.
async fn may_write(client: &Client, token: &str) -> bool {
    let reply = client.comment(token, 9_007_199_254_740_991, "x").await;
    match reply.try_code() {
        Some(10007) => true,
        Some(10003) => false,
        _ => panic!("{}", reply.text),
    }
}

#[tokio::test]
async fn a_new_password_ends_the_old_one_and_all_tokens_but_the_new_one() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let other = client.login(&account.name, &account.password).await.ok();
    let other = other["token"].as_str().unwrap();
    let new = [
        ("password", account.password.as_str()),
        ("new_password", "battery staple"),
    ];
    let session = post(&client, "/douyin/user/password/", &account, &new)
        .await
        .ok();
    assert_eq!(session["user_id"], account.user_id);
    let peer = client.new_account().await.user_id;
    for ended in [&account.token, other] {
        assert!(!may_write(&client, ended).await);
        let reads = private_reads(&client, ended, peer).await;
        assert!(all_are(10003, &reads), "{reads:?}");
    }
    let new = session["token"].as_str().unwrap();
    assert!(may_write(&client, new).await);
    let reads = private_reads(&client, new, peer).await;
    assert!(all_are(0, &reads), "{reads:?}");
    client
        .login(&account.name, &account.password)
        .await
        .refused(10004);
    let login = client.login(&account.name, "battery staple").await.ok();
    assert!(may_write(&client, login["token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn who_logs_out_everywhere_has_no_token_until_the_next_login() {
    let system = system_builder().instances("api", 2).start().await;
    let client = system.client();
    let account = client.new_account().await;
    let logins = [
        client.login(&account.name, &account.password).await.ok(),
        client.login(&account.name, &account.password).await.ok(),
    ];
    for login in &logins {
        assert!(may_write(&client, login["token"].as_str().unwrap()).await);
    }
    post(&client, "/douyin/user/logout/", &account, &[])
        .await
        .ok();
    // Another process may have seen the account a moment ago.
    eventually(Duration::from_secs(15), "all tokens ended", async || {
        for login in &logins {
            if may_write(&client, login["token"].as_str().unwrap()).await {
                return None;
            }
        }
        Some(())
    })
    .await;
    let again = client.login(&account.name, &account.password).await.ok();
    assert!(may_write(&client, again["token"].as_str().unwrap()).await);
}

/// A leaver with a film, a like and a comment; and who stays, with a film that has both.
async fn entangled(client: &Client) -> (Account, Account, i64, i64) {
    let (leaver, stayer) = (client.new_account().await, client.new_account().await);
    let own = publish_video(client, &leaver).await;
    let others = publish_video(client, &stayer).await;
    client.like(&leaver.token, others).await.ok();
    client.comment(&leaver.token, others, "Mine").await.ok();
    client.like(&stayer.token, own).await.ok();
    client.comment(&stayer.token, own, "Yours").await.ok();
    for (who, whom) in [(&leaver, &stayer), (&stayer, &leaver)] {
        let id = whom.user_id.to_string();
        let query = [("to_user_id", id.as_str()), ("action_type", "1")];
        post(client, "/douyin/relation/action/", who, &query)
            .await
            .ok();
    }
    (leaver, stayer, own, others)
}

async fn assert_all_gone(
    system: &System,
    leaver: &Account,
    stayer: &Account,
    own: i64,
    others: i64,
) {
    let client = system.client();
    eventually(GONE, "nothing left of the account", async || {
        // The deletions of videos are completed on their own, objects last.
        let left =
            "SELECT (SELECT COUNT(*) FROM user_deletions) + (SELECT COUNT(*) FROM video_deletions)";
        let counts = user_counts(system, stayer).await;
        let is_over = system.database().value::<i64>(left).await == 0;
        (is_over && counts == (0, 0, 1)).then_some(())
    })
    .await;
    let user = client.user(stayer.user_id, &stayer.token).await.ok();
    assert_eq!(user["user"]["follow_count"], 0);
    assert_eq!(user["user"]["follower_count"], 0);
    client.user(leaver.user_id, "").await.refused(10006);
    client.works(leaver.user_id).await.refused(10006);
    client.video(own, "").await.refused(10007);
    let video = client.video(others, "").await.ok()["video"].take();
    assert_eq!(
        (&video["favorite_count"], &video["comment_count"]),
        (&json!(0), &json!(0))
    );
    assert!(comments(&client.comments(others).await.ok()).is_empty());
    let likes = client.favorite_list(&[("token", &stayer.token)]).await;
    assert!(videos(&likes.ok()).is_empty());
    client
        .login(&leaver.name, &leaver.password)
        .await
        .refused(10004);
    client
        .register(&leaver.name, &leaver.password)
        .await
        .refused(10005);
    assert!(!may_write(&client, &leaver.token).await);
    let reads = private_reads(&client, &leaver.token, stayer.user_id).await;
    assert!(all_are(10003, &reads), "{reads:?}");
}

#[tokio::test]
async fn a_deleted_account_takes_all_it_made_with_it_and_keeps_its_name() {
    let system = system_builder().start().await;
    let client = system.client();
    let (leaver, stayer, own, others) = entangled(&client).await;
    let send = async || {
        client
            .send_message(&stayer.token, leaver.user_id, "Hi")
            .await
    };
    send().await.ok();
    let wrong = [("password", "wrong")];
    post(&client, "/douyin/user/delete/", &leaver, &wrong)
        .await
        .refused(10004);
    let right = [("password", leaver.password.as_str())];
    post(&client, "/douyin/user/delete/", &leaver, &right)
        .await
        .ok();
    // Also by a process that has just seen that they exist.
    send().await.refused(10006);
    assert_all_gone(&system, &leaver, &stayer, own, others).await;
    let publish = client.publish(&leaver.token, "Late", media::mp4()).await;
    publish.refused(10003);
    let left = system.bucket().keys().await;
    let videos = left.iter().filter(|key| key.starts_with("videos/")).count();
    assert_eq!(videos, 1, "{left:?}");
}

#[tokio::test]
async fn the_deletion_of_an_account_is_completed_whoever_is_killed() {
    let mut system = system_builder().start().await;
    let client = system.client();
    for killed in ["user", "video", "favorite", "comment"] {
        let (leaver, stayer, own, others) = entangled(&client).await;
        // Held up at the likes.
        let hold = format!("SELECT user_id FROM favorites WHERE video_id = {others} FOR UPDATE");
        let held = system.database().hold(&hold).await;
        let right = [("password", leaver.password.as_str())];
        post(&client, "/douyin/user/delete/", &leaver, &right)
            .await
            .ok();
        let waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() \
                     AND info LIKE '%favorites%FOR UPDATE%'";
        eventually(GONE, "the sweep waits", async || {
            (system.database().value::<i64>(waits).await > 0).then_some(())
        })
        .await;
        system.instances(killed)[0].kill9();
        drop(held);
        system.replace_instance(killed, 0).await;
        // It answers under its new address.
        let others_id = others.to_string();
        eventually(GONE, "every service answers", async || {
            let client = system.client();
            let token = [("token", stayer.token.as_str())];
            let replies = [
                client.user(stayer.user_id, &stayer.token).await,
                client.works(stayer.user_id).await,
                client.favorite_list(&token).await,
                client.comment_list(&[("video_id", &others_id)]).await,
            ];
            replies
                .iter()
                .all(|reply| reply.try_code() == Some(0))
                .then_some(())
        })
        .await;
        assert_all_gone(&system, &leaver, &stayer, own, others).await;
    }
}

#[tokio::test]
async fn who_is_blocked_is_listed_for_the_blocker_alone() {
    let system = shared_system().await;
    let client = system.client();
    let (one, other) = (client.new_account().await, client.new_account().await);
    let id = other.user_id.to_string();
    let list = async |account: &Account| {
        let query = [("token", account.token.as_str())];
        let page = client.get("/douyin/user/block/list/", &query).await.ok();
        ids(page["user_list"].as_array().unwrap())
    };
    for (action, blocked) in [
        ("1", vec![other.user_id]),
        ("1", vec![other.user_id]),
        ("2", vec![]),
        ("2", vec![]),
    ] {
        let query = [("to_user_id", id.as_str()), ("action_type", action)];
        post(&client, "/douyin/user/block/", &one, &query)
            .await
            .ok();
        assert_eq!(list(&one).await, blocked);
        assert!(list(&other).await.is_empty());
    }
}

#[tokio::test]
async fn who_is_blocked_follows_no_longer_and_sends_nothing() {
    let system = shared_system().await;
    let client = system.client();
    let (one, other) = (client.new_account().await, client.new_account().await);
    let third = client.new_account().await;
    let one_id = one.user_id.to_string();
    let other_id = other.user_id.to_string();
    let follow = async |who: &Account| {
        let query = [("to_user_id", one_id.as_str()), ("action_type", "1")];
        post(&client, "/douyin/relation/action/", who, &query).await
    };
    let send = async |who: &Account| {
        let query = [
            ("to_user_id", one_id.as_str()),
            ("action_type", "1"),
            ("content", "Hi"),
        ];
        post(&client, "/douyin/message/action/", who, &query).await
    };
    let followers = async || {
        let user = client.user(one.user_id, &one.token).await.ok();
        user["user"]["follower_count"].as_i64().unwrap()
    };
    follow(&other).await.ok();
    send(&other).await.ok();
    assert_eq!(followers().await, 1);
    let block = [("to_user_id", other_id.as_str()), ("action_type", "1")];
    post(&client, "/douyin/user/block/", &one, &block)
        .await
        .ok();
    assert_eq!(followers().await, 0);
    follow(&other).await.refused(10015);
    send(&other).await.refused(10015);
    // Nobody else is.
    follow(&third).await.ok();
    send(&third).await.ok();
    let unblock = [("to_user_id", other_id.as_str()), ("action_type", "2")];
    post(&client, "/douyin/user/block/", &one, &unblock)
        .await
        .ok();
    follow(&other).await.ok();
    send(&other).await.ok();
    assert_eq!(followers().await, 2);
}

#[tokio::test]
async fn a_block_ends_the_follow_also_when_its_client_left_or_when_it_is_repeated() {
    let mut system = system_builder().start().await;
    let client = system.client();
    let (one, other) = (client.new_account().await, client.new_account().await);
    let id = other.user_id.to_string();
    let query = |action: &'static str| [("to_user_id", id.as_str()), ("action_type", action)];
    let set = async |action: &'static str| {
        post(&client, "/douyin/user/block/", &one, &query(action)).await
    };
    let followers = async || {
        let user = client.user(one.user_id, &one.token).await.ok();
        user["user"]["follower_count"].as_i64().unwrap()
    };
    client.follow(&other.token, one.user_id).await.ok();
    assert_eq!(followers().await, 1);
    // The first of its two calls is under way when the client leaves. On a busy machine the account isn't cached any more, and then it
    // isn't yet.
    eventually(GONE, "a block whose client left", async || {
        if set("2").await.http != 200 {
            return None;
        }
        let user = &system.instances("user")[0];
        user.freeze();
        let request = client
            .request(Method::POST, "/douyin/user/block/")
            .query(&[("token", one.token.as_str())])
            .query(&query("1"))
            .timeout(Duration::from_secs(1));
        let reply = client.send(request).await;
        user.thaw();
        assert_eq!(reply.http, 0, "{}", reply.text);
        tokio::time::sleep(Duration::from_secs(1)).await;
        (followers().await == 0).then_some(())
    })
    .await;

    set("2").await.ok();
    client.follow(&other.token, one.user_id).await.ok();
    system.instances("relation")[0].kill9();
    let cut_off = set("1").await;
    assert!(cut_off.http >= 500, "{}", cut_off.text);
    let blocks = format!(
        "SELECT COUNT(*) FROM blocks WHERE user_id = {}",
        one.user_id
    );
    assert_eq!(system.database().value::<i64>(&blocks).await, 1);
    assert_eq!(followers().await, 1);
    system.replace_instance("relation", 0).await;
    eventually(GONE, "the block, repeated", async || {
        (set("1").await.http == 200).then_some(())
    })
    .await;
    assert_eq!(followers().await, 0);
}

#[tokio::test]
async fn who_is_gone_can_be_unblocked_and_not_blocked() {
    let system = shared_system().await;
    let client = system.client();
    let (one, other) = (client.new_account().await, client.new_account().await);
    let id = other.user_id.to_string();
    let set = async |action: &str| {
        let query = [("to_user_id", id.as_str()), ("action_type", action)];
        post(&client, "/douyin/user/block/", &one, &query).await
    };
    set("1").await.ok();
    let right = [("password", other.password.as_str())];
    post(&client, "/douyin/user/delete/", &other, &right)
        .await
        .ok();
    set("1").await.refused(10006);
    set("2").await.ok();
    let blocks = format!(
        "SELECT COUNT(*) FROM blocks WHERE user_id = {}",
        one.user_id
    );
    assert_eq!(system.database().value::<i64>(&blocks).await, 0);
}

/// Runs an operator's command; whether it succeeded, and what it said.
fn moderate(system: &System, arguments: &[&str]) -> (bool, String) {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/debug/moderate");
    let output = Command::new(program)
        .args(arguments)
        .envs(system.variables())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn an_operator_takes_down_and_suspends_and_the_reasons_are_kept() {
    let system = system_builder().start().await;
    let client = system.client();
    let author = client.new_account().await;
    let (spam, good) = (
        publish_video(&client, &author).await,
        publish_video(&client, &author).await,
    );
    let comment = client.comment(&author.token, good, "rude").await.ok();
    let comment = comment["comment"]["id"].as_i64().unwrap().to_string();
    let (spam_id, user_id) = (spam.to_string(), author.user_id.to_string());
    let command = |arguments: &[&str]| {
        let (is_done, said) = moderate(&system, arguments);
        assert!(is_done, "{arguments:?}: {said}");
    };
    command(&["video", &spam_id, "sells", "watches"]);
    client.video(spam, "").await.refused(10007);
    command(&["comment", &comment, "rude"]);
    assert!(comments(&client.comments(good).await.ok()).is_empty());
    command(&["suspend", &user_id, "again"]);
    client
        .login(&author.name, &author.password)
        .await
        .refused(10014);
    client.login(&author.name, "wrong").await.refused(10004);
    eventually(Duration::from_secs(15), "the token ended", async || {
        (!may_write(&client, &author.token).await).then_some(())
    })
    .await;
    let peer = client.new_account().await.user_id;
    let reads = private_reads(&client, &author.token, peer).await;
    assert!(all_are(10003, &reads), "{reads:?}");
    command(&["readmit", &user_id, "said", "sorry"]);
    let login = client.login(&author.name, &author.password).await.ok();
    assert!(may_write(&client, login["token"].as_str().unwrap()).await);
    let log = "SELECT CONCAT(action, ': ', reason) FROM moderations ORDER BY id";
    let log: Vec<String> = system.database().column(log).await;
    assert_eq!(
        log,
        [
            "take down video: sells watches",
            "take down comment: rude",
            "suspend user: again",
            "readmit user: said sorry"
        ]
    );
    for (wrong, says) in [
        (
            vec!["video", spam_id.as_str(), "twice"],
            "there is no such video",
        ),
        (
            vec!["comment", &comment, "twice"],
            "there is no such comment",
        ),
        (
            vec!["suspend", "9007199254740991", "who"],
            "there is no such user",
        ),
        (vec!["video", &spam_id], "why?"),
        (vec!["video", "x", "y"], "x is no id"),
        (vec![], "usage"),
    ] {
        let (is_done, said) = moderate(&system, &wrong);
        assert!(!is_done && said.contains(says), "{wrong:?}: {said}");
    }
}
