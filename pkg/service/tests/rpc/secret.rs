//! Calls without a valid proof are refused. The secret itself is sent only with `rpc.clear_secret = "show"`, for an upgrade, and it is
//! accepted instead of a proof unless the setting is "refuse".

use std::{
    cell::RefCell,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use echo::{SERVICE, login};
use hmac::{Hmac, Mac as _};
use idl::{
    base::Code,
    user::{UserServiceClient, UserServiceClientBuilder},
};
use metainfo::{Forward as _, METAINFO, MetaInfo};
use registry::{Instance, Registration, Registry};
use service::RpcError;
use settings::{ClearSecret, Secret, Settings};
use sha2::Sha256;
use testkit::{Etcd, Process, eventually};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use volo_thrift::BizError;

use crate::{
    process::command,
    support::{SOON, ask, client_by, serve_by, settings, until_registered_by},
};

const OURS: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

fn with_secret(etcd: &Etcd, secret: &str) -> Settings {
    let mut settings = settings(etcd);
    settings.rpc.secret = Secret::new(secret);
    settings
}

/// A client without our layers, as a stranger would have it, and one in another language.
fn bare(address: SocketAddr) -> UserServiceClient {
    UserServiceClientBuilder::new(SERVICE)
        .caller_name("test")
        .address(address)
        .build()
}

/// A call that carries this beside it.
async fn login_with(client: &UserServiceClient, beside: &[(&str, &str)]) -> Result<(), BizError> {
    let mut meta = MetaInfo::new();
    for (key, value) in beside {
        meta.set_transient((*key).to_owned(), (*value).to_owned());
    }
    let call = METAINFO.scope(RefCell::new(meta), client.login(login("-")));
    match call.await {
        Ok(_) => Ok(()),
        Err(volo_thrift::ClientError::Biz(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

/// What a proof is made of.
struct Recipe {
    secret: &'static str,
    service: &'static str,
    address: SocketAddr,
    method: &'static str,
    caller: &'static str,
    time_ms: u128,
    nonce: &'static str,
}

impl Recipe {
    /// For a `login` at `address`, now.
    fn new(address: SocketAddr) -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        Self {
            secret: OURS,
            service: SERVICE,
            address,
            method: "login",
            caller: "test",
            time_ms: now.as_millis(),
            nonce: "0000000000000001",
        }
    }

    /// By the words of idl/README.md alone, as a caller in another language makes it.
    fn proof(&self) -> String {
        let Self {
            secret,
            service,
            address,
            method,
            caller,
            time_ms,
            nonce,
        } = self;
        let text = format!(
            "dousheng call 1\n{service}\n{address}\n{method}\n{caller}\n{time_ms}\n{nonce}"
        );
        let hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        let hmac = hmac.chain_update(text).finalize().into_bytes();
        format!("1.{time_ms}.{nonce}.{hmac:x}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_proof_is_refused_in_words_that_say_so() {
    let etcd = Etcd::start().await;
    let ours = with_secret(&etcd, OURS);
    let nobody = client_by(&ours, "nobody").await;
    let (running, echo) = serve_by(&ours, SERVICE, nobody).await;
    let client = bare(running.address());
    let longer = format!("{OURS}0");
    for beside in [
        &[][..],
        &[("SECRET", OTHER)],
        &[("SECRET", &OURS[1..])],
        &[("SECRET", &longer)],
        &[("SECRET", "")],
    ] {
        let error = login_with(&client, beside).await.unwrap_err();
        let words = &error.status_message;
        assert!(words.contains("no proof"), "{words}");
        for what in ["PROOF", "rpc.secret", "idl/README.md"] {
            assert!(words.contains(what), "{words}");
        }
        assert!(!words.contains(OURS), "{words}");
        // To a user it is a failure of ours.
        assert_eq!(idl::code(&error), Code::INTERNAL);
    }
    // Not even its parameters are looked at: this name breaks a rule.
    let error = RpcError::from(client.login(login("")).await.unwrap_err());
    assert_eq!(error.code(), Code::INTERNAL, "{error}");
    assert_eq!(echo.executed(), 0);

    until_registered_by(&ours, SERVICE, 1).await;
    ask(&client_by(&ours, SERVICE).await, "-").await.unwrap();
    assert_eq!(echo.executed(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_good_for_its_call_its_instance_and_its_time_and_once() {
    let etcd = Etcd::start().await;
    let ours = with_secret(&etcd, OURS);
    let nobody = client_by(&ours, "nobody").await;
    let (running, echo) = serve_by(&ours, SERVICE, nobody.clone()).await;
    let (other, other_echo) = serve_by(&ours, SERVICE, nobody).await;
    let recipe = || Recipe::new(running.address());
    let minutes = |count: u128| count * 60_000;
    let client = bare(running.address());
    let refused = [
        (
            Recipe {
                secret: OTHER,
                ..recipe()
            },
            "doesn't fit",
        ),
        (
            Recipe {
                service: "other",
                ..recipe()
            },
            "doesn't fit",
        ),
        (
            Recipe {
                address: other.address(),
                ..recipe()
            },
            "doesn't fit",
        ),
        (
            Recipe {
                method: "register",
                ..recipe()
            },
            "doesn't fit",
        ),
        (
            Recipe {
                caller: "other",
                ..recipe()
            },
            "doesn't fit",
        ),
        (
            Recipe {
                time_ms: recipe().time_ms - minutes(6),
                ..recipe()
            },
            "clocks",
        ),
        (
            Recipe {
                time_ms: recipe().time_ms + minutes(6),
                ..recipe()
            },
            "clocks",
        ),
    ];
    for (recipe, word) in refused {
        let proof = recipe.proof();
        let error = login_with(&client, &[("PROOF", &proof)]).await.unwrap_err();
        let words = error.status_message;
        assert!(words.contains(word), "{words}");
        assert!(!words.contains(&proof[proof.len() - 64..]), "{words}");
    }
    // The right secret in clear doesn't help a proof that is wrong.
    let error = login_with(&client, &[("PROOF", "1.2.3.4"), ("SECRET", OURS)]).await;
    let words = error.unwrap_err().status_message;
    assert!(words.contains("can't be read"), "{words}");
    assert_eq!(echo.executed(), 0);

    let proof = recipe().proof();
    login_with(&client, &[("PROOF", &proof)]).await.unwrap();
    // Neither the same again, nor the nonce at another time, nor the same on a new connection, nor at another instance.
    let reused = Recipe {
        time_ms: recipe().time_ms + minutes(1),
        ..recipe()
    };
    for (client, proof, word) in [
        (&client, &proof, "used before"),
        (&client, &reused.proof(), "used before"),
        (&bare(running.address()), &proof, "used before"),
        (&bare(other.address()), &proof, "doesn't fit"),
    ] {
        let error = login_with(client, &[("PROOF", proof)]).await.unwrap_err();
        let words = error.status_message;
        assert!(words.contains(word), "{words}");
    }
    assert_eq!((echo.executed(), other_echo.executed()), (1, 0));
}

/// An address that keeps what it receives, and answers nothing.
struct Listening {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Listening {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let all = heard.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let all = all.clone();
                tokio::spawn(async move {
                    let mut chunk = [0; 4096];
                    while let Ok(read) = stream.read(&mut chunk).await
                        && read > 0
                    {
                        all.lock().unwrap().extend_from_slice(&chunk[..read]);
                    }
                });
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }

    /// As whoever can write to etcd would register it: `signed_by` a process with these settings.
    async fn register(&self, signed_by: &Settings) -> Registration {
        let registry = Registry::new(signed_by).await.unwrap();
        let mut registration = registry.register(SERVICE, &Instance::new(self.address, 10));
        registration.registered().await;
        registration
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// Sends bytes and gives the answer.
async fn replay(bytes: &[u8], to: SocketAddr) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; 64 << 10];
    let read = tokio::time::timeout(SOON, stream.read(&mut answer)).await;
    answer.truncate(read.unwrap().unwrap());
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fake_instance_in_etcd_gets_no_call_and_where_it_gets_one_neither_the_secret_nor_a_proof_for_others()
 {
    let etcd = Etcd::start().await;
    let ours = with_secret(&etcd, OURS);
    let fake = Listening::start().await;
    let _fake = fake.register(&with_secret(&etcd, "")).await;
    // The only instance of all, and yet nobody calls it.
    until_registered_by(&with_secret(&etcd, ""), SERVICE, 1).await;
    let client = client_by(&ours, SERVICE).await;
    let error = ask(&client, "-").await.unwrap_err();
    assert!(matches!(error, RpcError::Unavailable), "{error}");
    assert_eq!(fake.heard(), b"");

    // A service that doesn't sign is called: with a proof that is good nowhere else.
    let mut trusting = ours.clone();
    trusting.rpc.unsigned_services = vec![SERVICE.to_owned()];
    until_registered_by(&trusting, SERVICE, 1).await;
    let client = client_by(&trusting, SERVICE).await;
    // It answers nothing.
    ask(&client, "-").await.unwrap_err();
    let heard = fake.heard();
    assert!(holds(&heard, "PROOF"), "{heard:?}");
    assert!(!holds(&heard, OURS) && !holds(&heard, "SECRET"));

    let nobody = client_by(&ours, "nobody").await;
    let (running, echo) = serve_by(&ours, SERVICE, nobody).await;
    let answer = replay(&heard, running.address()).await;
    let shown = String::from_utf8_lossy(&answer);
    assert!(shown.contains("the proof doesn't fit"), "{shown}");
    assert_eq!(echo.executed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_heard_on_the_way_to_an_instance_is_served_there_once() {
    let etcd = Etcd::start().await;
    let ours = with_secret(&etcd, OURS);
    let nobody = client_by(&ours, "nobody").await;
    let (running, echo) = serve_by(&ours, SERVICE, nobody).await;
    // The bytes of a call: heard elsewhere, but with a proof for this instance.
    let listening = Listening::start().await;
    let proof = Recipe::new(running.address()).proof();
    let client = bare(listening.address);
    let call = tokio::spawn(async move { login_with(&client, &[("PROOF", &proof)]).await });
    eventually(SOON, "the whole call", async || {
        holds(&listening.heard(), "login").then_some(())
    })
    .await;
    // The call is one packet; it may have come in two.
    tokio::time::sleep(Duration::from_millis(100)).await;
    call.abort();
    let heard = listening.heard();
    replay(&heard, running.address()).await;
    assert_eq!(echo.executed(), 1);
    let answer = replay(&heard, running.address()).await;
    let shown = String::from_utf8_lossy(&answer);
    assert!(shown.contains("the proof was used before"), "{shown}");
    assert_eq!(echo.executed(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_itself_is_accepted_for_an_upgrade_and_shown_only_where_the_settings_say_so() {
    let etcd = Etcd::start().await;
    let accepting = with_secret(&etcd, OURS);
    assert_eq!(accepting.rpc.clear_secret, ClearSecret::Accept, "default");
    let refusing = {
        let mut settings = accepting.clone();
        settings.rpc.clear_secret = ClearSecret::Refuse;
        settings
    };
    let nobody = client_by(&accepting, "nobody").await;
    let (accepts, echo) = serve_by(&accepting, SERVICE, nobody.clone()).await;
    let (refuses, other) = serve_by(&refusing, SERVICE, nobody).await;
    // As the version before calls.
    let old = [("SECRET", OURS)];
    login_with(&bare(accepts.address()), &old).await.unwrap();
    let error = login_with(&bare(refuses.address()), &old).await;
    let words = error.unwrap_err().status_message;
    assert!(words.contains("no proof"), "{words}");
    assert_eq!((echo.executed(), other.executed()), (1, 0));
    accepts.stop().await.unwrap();
    refuses.stop().await.unwrap();

    // An instance of the version before has no signature, and wants the secret.
    let old = Listening::start().await;
    let _old = old.register(&with_secret(&etcd, "")).await;
    let mut showing = accepting.clone();
    showing.rpc.clear_secret = ClearSecret::Show;
    until_registered_by(&showing, SERVICE, 1).await;
    ask(&client_by(&showing, SERVICE).await, "-")
        .await
        .unwrap_err();
    assert!(holds(&old.heard(), OURS));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_secrets_the_first_proves_and_both_are_accepted() {
    let etcd = Etcd::start().await;
    let (before, after) = (with_secret(&etcd, OURS), with_secret(&etcd, OTHER));
    let adding = with_secret(&etcd, &format!("{OURS},{OTHER}"));
    let dropping = with_secret(&etcd, &format!("{OTHER},{OURS}"));
    let nobody = client_by(&before, "nobody").await;
    // Steps that meet while a secret is changed, each way.
    for (step, pair) in [
        (&before, &adding),
        (&adding, &dropping),
        (&dropping, &after),
    ]
    .into_iter()
    .enumerate()
    {
        let service = format!("step-{step}");
        for (callers, callees) in [(pair.0, pair.1), (pair.1, pair.0)] {
            let (running, echo) = serve_by(callees, &service, nobody.clone()).await;
            until_registered_by(callers, &service, 1).await;
            ask(&client_by(callers, &service).await, "-").await.unwrap();
            assert_eq!(echo.executed(), 1);
            running.stop().await.unwrap();
        }
    }
    // Without a step between them they don't know each other.
    let (_running, echo) = serve_by(&before, "old", nobody).await;
    until_registered_by(&before, "old", 1).await;
    let error = ask(&client_by(&after, "old").await, "-").await.unwrap_err();
    assert!(matches!(error, RpcError::Unavailable), "{error}");
    assert_eq!(echo.executed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_for_one_hop() {
    let etcd = Etcd::start().await;
    let ours = with_secret(&etcd, OURS);
    // Asked with a proof, it has none of its own to show.
    let without = client_by(&with_secret(&etcd, ""), "back").await;
    let (_front, front) = serve_by(&ours, "front", without).await;
    let nobody = client_by(&ours, "nobody").await;
    let (_back, back) = serve_by(&ours, "back", nobody).await;
    for service in ["front", "back"] {
        until_registered_by(&ours, service, 1).await;
    }
    let error = ask(&client_by(&ours, "front").await, "pass -")
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::INTERNAL, "{error}");
    assert_eq!((front.executed(), back.executed()), (1, 0));
    ask(&client_by(&ours, "back").await, "-").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_is_logged_with_its_reason_and_without_a_secret() {
    let etcd = Etcd::start().await;
    let mut command = command(&etcd);
    command.env("DOUSHENG_RPC__SECRET", OURS);
    let process = Process::spawn(SERVICE, command);
    let ours = with_secret(&etcd, OURS);
    until_registered_by(&ours, SERVICE, 1).await;
    let address = process.address().await;
    let stranger = Recipe {
        secret: OTHER,
        ..Recipe::new(address)
    };
    let proof = stranger.proof();
    login_with(&bare(address), &[("PROOF", &proof)])
        .await
        .unwrap_err();
    eventually(SOON, "a line about the refused call", async || {
        process
            .log()
            .contains("the proof doesn't fit")
            .then_some(())
    })
    .await;
    ask(&client_by(&ours, SERVICE).await, "-").await.unwrap();
    let log = process.log();
    for secret in [OURS, OTHER, &proof[proof.len() - 64..]] {
        assert!(!log.contains(secret), "{log}");
    }
}
