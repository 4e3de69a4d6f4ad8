//! Calls between a client and servers in the test's process.

use std::time::{Duration, Instant};

use echo::{SERVICE, login};
use idl::base::Code;
use service::RpcError;
use telemetry::{RequestId, cost, cost::Cost};
use testkit::{Etcd, eventually};
use tokio::time::timeout;

use crate::support::{
    Breaking, LIMIT, SOON, ask, ask_once, client, client_of, nobody, register, serve,
    until_registered,
};

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_share_the_calls() {
    let etcd = Etcd::start().await;
    let (_one, first) = serve(&etcd, SERVICE, "nobody").await;
    let (_two, second) = serve(&etcd, SERVICE, "nobody").await;
    until_registered(&etcd, SERVICE, 2).await;
    let client = client(&etcd).await;
    for _ in 0..200 {
        ask(&client, "-").await.unwrap();
    }
    assert_eq!(first.executed() + second.executed(), 200);
    assert!(
        (60..140).contains(&first.executed()),
        "{}",
        first.executed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callee_knows_for_how_long_its_caller_waits() {
    let etcd = Etcd::start().await;
    let (_running, _echo) = serve(&etcd, SERVICE, "nobody").await;
    until_registered(&etcd, SERVICE, 1).await;
    let client = client(&etcd).await;
    let patience_ms = ask_once(&client, "patience").await.unwrap();
    let limit_ms = LIMIT.as_millis() as i64;
    assert!((1..=limit_ms).contains(&patience_ms), "{patience_ms}");
    // Before and after, on the same connection.
    assert!(ask(&client, "patience").await.unwrap() <= limit_ms);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_broke_after_it_was_sent_is_repeated_only_if_its_policy_allows_retries() {
    let etcd = Etcd::start().await;
    let (_running, echo) = serve(&etcd, SERVICE, "nobody").await;
    let breaking = Breaking::register(&etcd).await;
    until_registered(&etcd, SERVICE, 2).await;

    let (mut failed, mut succeeded) = (0, 0);
    for _ in 0..20 {
        // A new client has nothing ejected yet.
        match ask_once(&client(&etcd).await, "-").await {
            Ok(_) => succeeded += 1,
            Err(RpcError::Unavailable) => failed += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((breaking.taken(), echo.executed()), (failed, succeeded));
    assert!(failed > 0);

    for _ in 0..20 {
        ask(&client(&etcd).await, "-").await.unwrap();
    }
    assert!(breaking.taken() > failed, "some went there first");
    assert_eq!(echo.executed(), succeeded + 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_broke_is_passed_over_for_a_while() {
    let etcd = Etcd::start().await;
    let (_running, _echo) = serve(&etcd, SERVICE, "nobody").await;
    let breaking = Breaking::register(&etcd).await;
    until_registered(&etcd, SERVICE, 2).await;
    let client = client(&etcd).await;
    while breaking.taken() == 0 {
        ask(&client, "-").await.unwrap();
    }
    // For less time than an instance is left out. If it weren't, about every second call would meet it.
    let broke = Instant::now();
    for _ in 0..200 {
        ask(&client, "-").await.unwrap();
        if broke.elapsed() > Duration::from_secs(1) {
            break;
        }
    }
    assert_eq!(breaking.taken(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_never_opened_goes_to_another_instance_whatever_the_method() {
    let etcd = Etcd::start().await;
    let (_running, echo) = serve(&etcd, SERVICE, "nobody").await;
    let _dead = register(&etcd, nobody().await).await;
    until_registered(&etcd, SERVICE, 2).await;
    for _ in 0..20 {
        ask_once(&client(&etcd).await, "-").await.unwrap();
    }
    assert_eq!(echo.executed(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_instance_that_answers_the_service_is_unavailable() {
    let etcd = Etcd::start().await;
    let client = client(&etcd).await;
    let error = ask(&client, "-").await.unwrap_err();
    assert!(matches!(error, RpcError::Unavailable), "{error}");
    let _dead = register(&etcd, nobody().await).await;
    until_registered(&etcd, SERVICE, 1).await;
    let error = ask(&client, "-").await.unwrap_err();
    assert!(matches!(error, RpcError::Unavailable), "{error}");
    assert_eq!(error.code(), Code::UNAVAILABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_and_an_unforeseen_error_show_no_internals_and_the_server_goes_on() {
    let etcd = Etcd::start().await;
    let (_running, echo) = serve(&etcd, SERVICE, "nobody").await;
    until_registered(&etcd, SERVICE, 1).await;
    let client = client(&etcd).await;
    for (done, what) in ["panic", "fail", "panic"].into_iter().enumerate() {
        let error = client.login(login(what)).await.unwrap_err();
        let text = format!("{error:?}");
        for internal in ["secret", ".rs", "panic", "backtrace"] {
            assert!(!text.contains(internal), "{text}");
        }
        assert!(matches!(RpcError::from(error), RpcError::Internal));
        assert_eq!(
            echo.executed(),
            done + 1,
            "an answer is no reason to repeat"
        );
    }
    ask(&client, "-").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_arrives_with_code_and_message() {
    let etcd = Etcd::start().await;
    let (_running, _echo) = serve(&etcd, SERVICE, "nobody").await;
    until_registered(&etcd, SERVICE, 1).await;
    match ask(&client(&etcd).await, "refuse").await.unwrap_err() {
        RpcError::Biz(error) => {
            assert_eq!(idl::code(&error), Code::NAME_TAKEN);
            assert_eq!(error.status_message, "taken");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_too_long_is_timed_out_within_its_limit() {
    let etcd = Etcd::start().await;
    let (_running, echo) = serve(&etcd, SERVICE, "nobody").await;
    let (_other, other) = serve(&etcd, SERVICE, "nobody").await;
    until_registered(&etcd, SERVICE, 2).await;
    let client = client(&etcd).await;
    let start = Instant::now();
    let error = ask_once(&client, "sleep 60000").await.unwrap_err();
    assert!(matches!(error, RpcError::TimedOut), "{error}");
    assert_eq!(echo.executed() + other.executed(), 1);
    let error = ask(&client, "sleep 60000").await.unwrap_err();
    assert!(matches!(error, RpcError::TimedOut), "{error}");
    let elapsed = start.elapsed();
    assert!(elapsed > LIMIT * 2 && elapsed < LIMIT * 3, "{elapsed:?}");
    // Half of its time is another instance's chance.
    assert_eq!(echo.executed() + other.executed(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_a_rule_never_leaves() {
    let etcd = Etcd::start().await;
    let breaking = Breaking::register(&etcd).await;
    until_registered(&etcd, SERVICE, 1).await;
    let (error, cost) = cost::scope(ask(&client(&etcd).await, "")).await;
    let RpcError::Biz(error) = error.unwrap_err() else {
        panic!("not refused");
    };
    assert_eq!(idl::code(&error), Code::BAD_PARAMETER);
    assert_eq!((breaking.taken(), cost), (0, Cost::default()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_refuses_what_breaks_a_rule_too() {
    let etcd = Etcd::start().await;
    let (running, echo) = serve(&etcd, SERVICE, "nobody").await;
    // A client without our layers, as one in another language would be.
    let client = idl::user::UserServiceClientBuilder::new(SERVICE)
        .address(running.address())
        .build();
    let error = client.login(login("")).await.unwrap_err();
    let RpcError::Biz(error) = error.into() else {
        panic!("not refused");
    };
    assert_eq!(idl::code(&error), Code::BAD_PARAMETER);
    assert_eq!(echo.executed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn id_and_cost_of_a_request_go_through_every_hop() {
    let etcd = Etcd::start().await;
    let (_front, _) = serve(&etcd, "front", "middle").await;
    let (_middle, _) = serve(&etcd, "middle", "back").await;
    let (_back, _) = serve(&etcd, "back", "nobody").await;
    for service in ["front", "middle", "back"] {
        until_registered(&etcd, service, 1).await;
    }
    let client = client_of(&etcd, "front").await;
    // Each hears of the next in its own time.
    eventually(SOON, "a way through", async || {
        let answer = ask(&client, "pass pass whoami").await;
        matches!(answer, Err(RpcError::Biz(_))).then_some(())
    })
    .await;
    let id = RequestId::generate();
    let request = telemetry::scope(id.clone(), cost::scope(ask(&client, "pass pass whoami")));
    let (answer, cost) = request.await;
    let RpcError::Biz(error) = answer.unwrap_err() else {
        panic!("not refused");
    };
    assert_eq!(error.status_message, id.as_str());
    assert_eq!(cost, Cost { rpcs: 3, sql: 0 });

    // Concurrent calls of one task don't take each other's costs.
    let both = async { tokio::join!(ask(&client, "pass pass sql 2"), ask(&client, "pass sql 3")) };
    let (_, cost) = cost::scope(both).await;
    assert_eq!(cost, Cost { rpcs: 5, sql: 5 });

    // Without an id one is made at the first server.
    let made = match ask(&client, "pass whoami").await.unwrap_err() {
        RpcError::Biz(error) => error.status_message,
        other => panic!("{other}"),
    };
    assert!(RequestId::accept(&made).is_some(), "{made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_starts_before_etcd_finds_the_service_when_it_comes() {
    let etcd = Etcd::start().await;
    etcd.kill();
    let client = client(&etcd).await;
    // The call's own limit ends it.
    let error = timeout(SOON, ask(&client, "-")).await.expect("an answer");
    let error = error.unwrap_err();
    assert!(matches!(error, RpcError::Unavailable), "{error}");
    let (_running, _echo) = serve(&etcd, SERVICE, "nobody").await;
    etcd.restart().await;
    eventually(SOON, "an answer", async || ask(&client, "-").await.ok()).await;
}
