//! Whoever calls a service shows the secret of the installation, or isn't served.

use idl::base::Code;
use service::RpcError;
use settings::{Secret, Settings};
use testkit::{Etcd, Process, eventually};

use crate::{
    echo::{SERVICE, login},
    process::command,
    support::{SOON, ask, client_by, serve_by, settings, until_registered},
};

const OURS: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

fn with_secret(etcd: &Etcd, secret: &str) -> Settings {
    let mut settings = settings(etcd);
    settings.rpc.secret = Secret::new(secret);
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_the_right_secret_is_not_served() {
    let etcd = Etcd::start().await;
    let nobody = client_by(&with_secret(&etcd, OURS), "nobody").await;
    let (running, echo) = serve_by(&with_secret(&etcd, OURS), SERVICE, nobody).await;
    until_registered(&etcd, SERVICE, 1).await;
    let longer = format!("{OURS}0");
    for wrong in ["", OTHER, &OURS[1..], &longer] {
        let stranger = client_by(&with_secret(&etcd, wrong), SERVICE).await;
        let error = stranger.login(login("-")).await.unwrap_err();
        let text = format!("{error:?}");
        assert!(!text.contains(OURS) && !text.contains("secret"), "{text}");
        let error = RpcError::from(error);
        assert_eq!(error.code(), Code::INTERNAL, "{wrong}: {error}");
    }
    // Not even its parameters are looked at: a client without our layers, and with a name that breaks a rule.
    let bare = idl::user::UserServiceClientBuilder::new(SERVICE)
        .address(running.address())
        .build();
    let error = RpcError::from(bare.login(login("")).await.unwrap_err());
    assert_eq!(error.code(), Code::INTERNAL, "{error}");
    assert_eq!(echo.executed(), 0);

    let one_of_us = client_by(&with_secret(&etcd, OURS), SERVICE).await;
    ask(&one_of_us, "-").await.unwrap();
    assert_eq!(echo.executed(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_secrets_the_first_is_shown_and_both_are_accepted() {
    let etcd = Etcd::start().await;
    let both = with_secret(&etcd, &format!("{OTHER},{OURS}"));
    let before = with_secret(&etcd, OURS);
    let after = with_secret(&etcd, OTHER);
    let nobody = client_by(&both, "nobody").await;
    let (_new, _) = serve_by(&both, SERVICE, nobody.clone()).await;
    let (_old, _) = serve_by(&before, "old", nobody).await;
    until_registered(&etcd, SERVICE, 1).await;
    until_registered(&etcd, "old", 1).await;
    for settings in [&before, &after, &both] {
        ask(&client_by(settings, SERVICE).await, "-").await.unwrap();
    }
    let error = ask(&client_by(&both, "old").await, "-").await.unwrap_err();
    assert_eq!(error.code(), Code::INTERNAL, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_for_one_hop() {
    let etcd = Etcd::start().await;
    let ours = with_secret(&etcd, OURS);
    // Asked with the secret, it has none of its own to show.
    let without = client_by(&with_secret(&etcd, ""), "back").await;
    let (_front, front) = serve_by(&ours, "front", without).await;
    let nobody = client_by(&ours, "nobody").await;
    let (_back, back) = serve_by(&ours, "back", nobody).await;
    for service in ["front", "back"] {
        until_registered(&etcd, service, 1).await;
    }
    let error = ask(&client_by(&ours, "front").await, "pass -")
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::INTERNAL, "{error}");
    assert_eq!((front.executed(), back.executed()), (1, 0));
    ask(&client_by(&ours, "back").await, "-").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_is_logged_without_a_secret() {
    let etcd = Etcd::start().await;
    let mut command = command(&etcd);
    command.env("DOUSHENG_RPC__SECRET", OURS);
    let process = Process::spawn(SERVICE, command);
    until_registered(&etcd, SERVICE, 1).await;
    let stranger = client_by(&with_secret(&etcd, OTHER), SERVICE).await;
    ask(&stranger, "-").await.unwrap_err();
    eventually(SOON, "a line about the refused call", async || {
        let log = process.log();
        log.contains("doesn't show rpc.secret").then_some(())
    })
    .await;
    let one_of_us = client_by(&with_secret(&etcd, OURS), SERVICE).await;
    ask(&one_of_us, "-").await.unwrap();
    let log = process.log();
    assert!(!log.contains(OURS) && !log.contains(OTHER), "{log}");
}
