//! No user can change what belongs to another: a table over all routes.

use std::collections::BTreeSet;

use futures::{FutureExt as _, future::BoxFuture};
use reqwest::{Method, RequestBuilder, multipart};
use serde_json::{Value, json};
use testkit::{Account, Client, Reply, media};

use crate::{
    scene::publish_video,
    shapes::{comments, messages, users, videos, without_signatures},
    shared_system,
};

/// With which the victim has written its comment.
const KEY: &str = "a-key-of-the-victims";

/// Somebody with a film, a like and a comment; and somebody who wants to change them.
struct Scene {
    client: Client,
    victim: Account,
    attacker: Account,
    /// Whom the victim follows and has written to.
    friend: Account,
    film: i64,
    comment: i64,
}

impl Scene {
    async fn set(client: Client) -> Self {
        let (victim, attacker) = (client.new_account().await, client.new_account().await);
        let film = publish_video(&client, &victim).await;
        client.like(&victim.token, film).await.ok();
        let friend = client.new_account().await;
        client.follow(&victim.token, friend.user_id).await.ok();
        client.follow(&friend.token, victim.user_id).await.ok();
        let message = client.send_message(&victim.token, friend.user_id, "Ours");
        message.await.ok();
        let id = film.to_string();
        let mine = [
            ("token", victim.token.as_str()),
            ("video_id", &id),
            ("action_type", "1"),
            ("comment_text", "Mine"),
        ];
        let request = client.request(Method::POST, "/douyin/comment/action/");
        let request = request.query(&mine).header("idempotency-key", KEY);
        let comment = client.send(request).await.ok();
        Self {
            comment: comment["comment"]["id"].as_i64().unwrap(),
            client,
            victim,
            attacker,
            friend,
            film,
        }
    }

    /// All that is the victim's, as it sees it itself.
    async fn of_victim(&self) -> Value {
        let token = &self.victim.token;
        let query = [("token", token.as_str())];
        let works = videos(&self.client.publish_list(&query).await.ok());
        let likes = videos(&self.client.favorite_list(&query).await.ok());
        let user = self.client.user(self.victim.user_id, token).await.ok();
        let comments = comments(&self.client.comments(self.film).await.ok());
        let friends = self.client.relation_list("friend", &query).await.ok();
        let chat = self
            .client
            .chat(token, self.friend.user_id, None)
            .await
            .ok();
        without_signatures(
            json!({ "user": user["user"], "works": works, "likes": likes, "comments": comments,
            "friends": without_counts(users(&friends)), "chat": messages(&chat) }),
        )
    }

    /// The attacker's request to a route, with all that may name the victim.
    fn names_victim(&self) -> Vec<(&'static str, String)> {
        let victim = self.victim.user_id.to_string();
        vec![
            ("token", self.attacker.token.clone()),
            ("user_id", victim.clone()),
            ("author_id", victim),
            ("username", self.victim.name.clone()),
            ("video_id", self.film.to_string()),
            ("comment_id", self.comment.to_string()),
        ]
    }

    fn request(&self, method: Method, path: &str, more: &[(&'static str, &str)]) -> RequestBuilder {
        let mut query = self.names_victim();
        query.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        self.client.request(method, path).query(&query)
    }

    async fn send(&self, method: Method, path: &str, more: &[(&'static str, &str)]) -> Reply {
        self.client.send(self.request(method, path, more)).await
    }
}

/// The friend of both has counts that the attacker's own follow moves.
fn without_counts(mut users: Vec<Value>) -> Vec<Value> {
    for user in &mut users {
        user["follower_count"] = Value::Null;
    }
    users
}

type Attack = for<'a> fn(&'a Scene, &'static str) -> BoxFuture<'a, ()>;

/// A read changes nothing, whatever it is asked.
fn read<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        scene.send(Method::GET, path, &[]).await;
        scene
            .send(Method::POST, path, &[("action_type", "2")])
            .await;
    }
    .boxed()
}

/// Makes no second account of the name, nor another password for it.
fn register<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        let taken = scene
            .send(Method::POST, path, &[("password", "mine now")])
            .await;
        taken.refused(10005);
        let Account { name, password, .. } = &scene.victim;
        scene.client.login(name, password).await.ok();
        scene.client.login(name, "mine now").await.refused(10004);
    }
    .boxed()
}

/// Another's password is of no use with one's own token, nor one's own for another's account.
fn password<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        let wrong = [("password", "not mine"), ("new_password", "mine now")];
        scene.send(Method::POST, path, &wrong).await.refused(10004);
        let Account { name, password, .. } = &scene.victim;
        scene.client.login(name, password).await.ok();
    }
    .boxed()
}

/// Concerns one's own account alone, whoever is named. Somebody else's, for its tokens end.
fn care<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        let other = scene.client.new_account().await;
        let victim = scene.victim.user_id.to_string();
        let query = [
            ("token", other.token.as_str()),
            ("user_id", &victim),
            ("to_user_id", &victim),
            ("action_type", "1"),
        ];
        scene.client.post(path, &query).await.ok();
        let mine = [("token", scene.victim.token.as_str())];
        let blocked = scene
            .client
            .get("/douyin/user/block/list/", &mine)
            .await
            .ok();
        assert_eq!(blocked["user_list"], json!([]));
    }
    .boxed()
}

/// Changes one's own profile alone, whoever is named.
fn profile<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        let reply = scene
            .send(Method::POST, path, &[("signature", "Mine now")])
            .await;
        assert_eq!(reply.ok()["user"]["id"], scene.attacker.user_id);
    }
    .boxed()
}

/// Another's token helps with no login.
fn login<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        let password = scene.attacker.password.clone();
        let reply = scene
            .send(Method::POST, path, &[("password", &password)])
            .await;
        // Test accounts share their password; the session must be of who owns the name.
        if reply.code() == 0 {
            assert_eq!(password, scene.victim.password);
            assert_eq!(reply.body["user_id"], scene.victim.user_id);
        }
        let wrong = scene
            .send(Method::POST, path, &[("password", "wrong one")])
            .await;
        wrong.refused(10004);
    }
    .boxed()
}

/// Gives and takes back no like but one's own.
fn favorite<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        // Unliked first: the victim's like is the only one that there is to take.
        for action in ["2", "1", "2"] {
            let action_type = [("action_type", action)];
            scene.send(Method::POST, path, &action_type).await.ok();
            let likes = |account: &Account| {
                let (client, token) = (scene.client.clone(), account.token.clone());
                async move {
                    let reply = client.favorite_list(&[("token", &token)]).await;
                    videos(&reply.ok()).len()
                }
            };
            assert_eq!(likes(&scene.victim).await, 1);
            let given = usize::from(action == "1");
            assert_eq!(likes(&scene.attacker).await, given);
        }
    }
    .boxed()
}

/// Deletes no comment of another's but under one's own film, wherever one says that it is; writes none in another's name.
fn comment<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        let delete = [("action_type", "2")];
        scene.send(Method::POST, path, &delete).await.refused(10009);
        let (client, token) = (&scene.client, &scene.attacker.token);
        let own = publish_video(client, &scene.attacker).await;
        let elsewhere = client.delete_comment(token, own, scene.comment);
        elsewhere.await.refused(10008);

        let add = [("action_type", "1"), ("comment_text", "Whose?")];
        // The key with which the victim wrote its own: another's is none of its answers.
        let request = scene.request(Method::POST, path, &add);
        let reply = client.send(request.header("idempotency-key", KEY)).await;
        let added = reply.ok()["comment"].clone();
        assert_eq!(added["user"]["id"], scene.attacker.user_id);
        assert_ne!(added["id"], scene.comment);
        let id = added["id"].as_i64().unwrap();
        client.delete_comment(token, scene.film, id).await.ok();
    }
    .boxed()
}

/// What one publishes is one's own, whatever else the form says.
fn publish<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        let file = multipart::Part::bytes(media::mp4()).file_name("film.mp4");
        let mut form = multipart::Form::new();
        for (name, value) in scene.names_victim() {
            form = form.text(name, value);
        }
        let form = form.text("title", "Whose?").part("data", file);
        let request = scene.client.request(Method::POST, path).multipart(form);
        scene.client.send(request).await.ok();
        let works = videos(&scene.client.works(scene.attacker.user_id).await.ok());
        let whose = works.iter().find(|video| video["title"] == "Whose?");
        let author = &whose.expect("it among the attacker's own")["author"];
        assert_eq!(author["id"], scene.attacker.user_id);
    }
    .boxed()
}

/// Deletes no film but one's own.
fn delete<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        scene.send(Method::POST, path, &[]).await.refused(10009);
    }
    .boxed()
}

/// Begins and ends no follow but one's own.
fn follow<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        // Ended first: the victim's follow is the only one that there is to end.
        for action in ["2", "1", "2"] {
            let to = scene.friend.user_id.to_string();
            let more = [("action_type", action), ("to_user_id", to.as_str())];
            scene.send(Method::POST, path, &more).await.ok();
            let followed = |account: &Account| {
                let (client, token) = (scene.client.clone(), account.token.clone());
                async move {
                    let query = [("token", token.as_str())];
                    let list = client.relation_list("follow", &query).await;
                    users(&list.ok()).len()
                }
            };
            assert_eq!(followed(&scene.victim).await, 1);
            assert_eq!(followed(&scene.attacker).await, usize::from(action == "1"));
        }
    }
    .boxed()
}

/// What one sends is one's own, whatever else the request says.
fn message<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        let (client, friend) = (&scene.client, &scene.friend);
        let to = friend.user_id.to_string();
        let victim = scene.victim.user_id.to_string();
        let more = [
            ("action_type", "1"),
            ("to_user_id", to.as_str()),
            ("from_user_id", victim.as_str()),
            ("content", "Whose?"),
        ];
        let request = scene.request(Method::POST, path, &more);
        client
            .send(request.header("idempotency-key", KEY))
            .await
            .ok();
        let chat = client.chat(&friend.token, scene.attacker.user_id, None);
        let sent = messages(&chat.await.ok());
        assert_eq!(sent[0]["from_user_id"], scene.attacker.user_id);
    }
    .boxed()
}

/// Only the two see what they have written to each other.
fn chat<'a>(scene: &'a Scene, path: &'static str) -> BoxFuture<'a, ()> {
    async move {
        let (victim, friend) = (&scene.victim, &scene.friend);
        for (with, other) in [(victim, friend), (friend, victim)] {
            let (with, other) = (with.user_id.to_string(), other.user_id.to_string());
            let more = [
                ("to_user_id", with.as_str()),
                ("from_user_id", other.as_str()),
            ];
            let reply = scene.send(Method::GET, path, &more).await;
            let seen = messages(&reply.ok());
            let strangers = seen.iter().filter(|message| {
                let ends = ["from_user_id", "to_user_id"].map(|end| message[end].clone());
                !ends.contains(&scene.attacker.user_id.into())
            });
            assert_eq!(strangers.count(), 0, "{seen:#?}");
        }
    }
    .boxed()
}

const TABLE: [(&str, Attack); 25] = [
    ("/douyin/feed/", read),
    ("/douyin/user/", read),
    ("/douyin/user/register/", register),
    ("/douyin/user/profile/", profile),
    ("/douyin/user/login/", login),
    ("/douyin/user/password/", password),
    ("/douyin/user/logout/", care),
    ("/douyin/user/delete/", password),
    ("/douyin/user/block/", care),
    ("/douyin/user/block/list/", read),
    ("/douyin/publish/list/", read),
    ("/douyin/favorite/list/", read),
    ("/douyin/favorite/action/", favorite),
    ("/douyin/comment/list/", read),
    ("/douyin/comment/action/", comment),
    ("/douyin/publish/action/", publish),
    ("/douyin/publish/delete/", delete),
    ("/douyin/video/", read),
    ("/douyin/feed/following/", read),
    ("/douyin/relation/action/", follow),
    ("/douyin/relation/follow/list/", read),
    ("/douyin/relation/follower/list/", read),
    ("/douyin/relation/friend/list/", read),
    ("/douyin/message/action/", message),
    ("/douyin/message/chat/", chat),
];

#[tokio::test]
async fn a_user_changes_nothing_of_another_s_by_any_route() {
    let routes: BTreeSet<_> = api::routes::routes()
        .iter()
        .map(|route| route.path)
        .collect();
    let table: BTreeSet<_> = TABLE.iter().map(|(path, _)| *path).collect();
    assert_eq!(routes, table, "a route that nobody has tried to abuse");

    let system = shared_system().await;
    let scene = Scene::set(system.client()).await;
    let before = scene.of_victim().await;
    assert_eq!(before["comments"].as_array().unwrap().len(), 1);
    assert_eq!(before["likes"].as_array().unwrap().len(), 1);
    for (path, attack) in TABLE {
        attack(&scene, path).await;
        assert_eq!(scene.of_victim().await, before, "{path}");
    }
}
