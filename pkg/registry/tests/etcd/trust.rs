//! Only instances with a valid signature are used.

use settings::{ClearSecret, Secret, Settings};
use testkit::Etcd;

use crate::{client, key, known_by, put, register_by, settings, stored, until_known};

const OURS: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

/// The settings of a process that knows this secret.
fn with_secret(etcd: &Etcd, secret: &str) -> Settings {
    let mut settings = settings(etcd);
    settings.rpc.secret = Secret::new(secret);
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_none_of_us_signed_are_passed_over_unless_their_service_is_named() {
    let etcd = Etcd::start().await;
    let ours = with_secret(&etcd, OURS);
    let _one = register_by(&ours, 1).await;
    let _stranger = register_by(&with_secret(&etcd, OTHER), 2).await;
    put(&client(&etcd).await, 3).await;
    // The signature of one instance at the key of another is that of neither.
    let writer = client(&etcd).await;
    let signed = stored(&writer).await.unwrap();
    let (_, copied) = signed.iter().find(|(at, _)| *at == key(1)).unwrap();
    assert!(copied.contains(r#""signature":""#), "{copied}");
    let copied = copied.replace("127.0.0.1:1\"", "127.0.0.1:4\"");
    writer.kv_client().put(key(4), copied, None).await.unwrap();

    let known = known_by(&ours).await;
    until_known(&known, &[1]).await;
    // Also one that comes, or changes, later.
    put(&writer, 5).await;
    let _six = register_by(&ours, 6).await;
    until_known(&known, &[1, 6]).await;

    let mut trusting = ours.clone();
    trusting.rpc.unsigned_services = vec!["another".to_owned()];
    until_known(&known_by(&trusting).await, &[1, 6]).await;
    trusting.rpc.unsigned_services.push("echo".to_owned());
    until_known(&known_by(&trusting).await, &[1, 2, 3, 4, 5, 6]).await;
    let mut upgrading = ours.clone();
    upgrading.rpc.clear_secret = ClearSecret::Show;
    until_known(&known_by(&upgrading).await, &[1, 2, 3, 4, 5, 6]).await;
    // Who has no secret asks for no signature.
    until_known(&known_by(&settings(&etcd)).await, &[1, 2, 3, 4, 5, 6]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_changed_without_an_instance_being_passed_over() {
    let etcd = Etcd::start().await;
    let steps = [OURS, "OURS,OTHER", "OTHER,OURS", OTHER]
        .map(|step| step.replace("OURS", OURS).replace("OTHER", OTHER));
    for both in steps.windows(2) {
        let before = register_by(&with_secret(&etcd, &both[0]), 1).await;
        let after = register_by(&with_secret(&etcd, &both[1]), 2).await;
        for secret in both {
            let known = known_by(&with_secret(&etcd, secret)).await;
            until_known(&known, &[1, 2]).await;
        }
        before.deregister().await;
        after.deregister().await;
    }
}
