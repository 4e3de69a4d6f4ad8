//! Passwords and keys: weak ones are refused in production, and none is printed.

use super::*;

/// Good enough for production.
pub const PRODUCTION: [(&str, &str); 7] = [
    ("DOUSHENG_ENVIRONMENT", "production"),
    ("DOUSHENG_MYSQL__PRIMARY_URL", "mysql://a:one@db/dousheng"),
    ("DOUSHENG_MYSQL__REPLICA_URLS", "mysql://b:two@db/dousheng"),
    ("DOUSHENG_MYSQL__MIGRATE_URL", "mysql://c:three@db/dousheng"),
    ("DOUSHENG_OBJECT_STORE__ACCESS_KEY", "four"),
    ("DOUSHENG_OBJECT_STORE__SECRET_KEY", "five"),
    ("DOUSHENG_RPC__SECRET", "0123456789abcdef0123456789abcdef"),
];

#[test]
fn production_refuses_the_development_secrets() {
    load(&PRODUCTION).unwrap();
    for (variable, bad, key) in [
        (
            "MYSQL__PRIMARY_URL",
            "mysql://dousheng:dousheng-dev@elsewhere/dousheng",
            "mysql.primary_url",
        ),
        (
            "MYSQL__REPLICA_URLS",
            "mysql://b:two@db/x,mysql://dousheng_read:dousheng-read-dev@db/x",
            "mysql.replica_urls",
        ),
        (
            "MYSQL__MIGRATE_URL",
            "mysql://dousheng_migrate:dousheng-migrate-dev@db/x",
            "mysql.migrate_url",
        ),
        (
            "OBJECT_STORE__ACCESS_KEY",
            "dousheng-dev",
            "object_store.access_key",
        ),
        (
            "OBJECT_STORE__SECRET_KEY",
            "dousheng-dev-secret",
            "object_store.secret_key",
        ),
        ("RPC__SECRET", "", "rpc.secret"),
    ] {
        let mut variables = PRODUCTION.to_vec();
        let variable = format!("DOUSHENG_{variable}");
        variables.push((&variable, bad));
        let error = load(&variables).unwrap_err().to_string();
        assert!(error.contains(&format!("{key}: ")), "{error}");
    }
    // Whoever doesn't migrate needn't know the account that may.
    let mut variables = PRODUCTION.to_vec();
    variables.push(("DOUSHENG_MYSQL__MIGRATE_URL", ""));
    load(&variables).unwrap();
}

#[test]
fn the_passwords_of_the_defaults_and_of_the_scripts_are_the_ones_that_production_refuses() {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/lib/settings.sh");
    let scripts = std::fs::read_to_string(scripts).unwrap();
    for password in crate::check::DEVELOPMENT_PASSWORDS {
        assert!(
            scripts.contains(&format!("PASSWORD={password}\n")),
            "{password}"
        );
    }
    let defaults = load(&[]).unwrap().mysql;
    for url in defaults.replica_urls.iter().chain([&defaults.primary_url]) {
        assert!(crate::check::has_development_password(url));
    }
}

#[test]
fn the_secret_of_calls_has_32_bytes_and_may_be_two() {
    let (new, old) = (
        "0123456789abcdef0123456789abcdef",
        "fedcba9876543210fedcba9876543210",
    );
    let secrets = |text: &str| {
        let settings = load(&[("DOUSHENG_RPC__SECRET", text)])?;
        let secrets = settings.rpc_secrets();
        Ok::<_, SettingsError>(
            secrets
                .iter()
                .map(|secret| secret.expose().to_owned())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(secrets("").unwrap(), Vec::<String>::new());
    assert_eq!(secrets(new).unwrap(), [new]);
    assert_eq!(secrets(&format!("{new}, {old}")).unwrap(), [new, old]);
    for bad in ["short", &format!("{new},short")] {
        let error = secrets(bad).unwrap_err().to_string();
        assert!(
            error.contains("rpc.secret: ") && !error.contains("short"),
            "{error}"
        );
    }
}

#[test]
fn the_registrys_user_has_a_password() {
    for half in [
        ("DOUSHENG_ETCD__USERNAME", "dousheng"),
        ("DOUSHENG_ETCD__PASSWORD", "hidden"),
    ] {
        let error = load(&[half]).unwrap_err().to_string();
        assert!(
            error.contains("etcd.password: ") && !error.contains("hidden"),
            "{error}"
        );
    }
    let both = [
        ("DOUSHENG_ETCD__USERNAME", "dousheng"),
        ("DOUSHENG_ETCD__PASSWORD", "hidden"),
    ];
    let text = format!("{:?}", load(&both).unwrap().etcd);
    assert!(!text.contains("hidden"), "{text}");
}

#[test]
fn token_keys_need_a_kid_and_32_bytes() {
    let long = "k1:0123456789abcdef0123456789abcdef,k2:fedcba9876543210fedcba9876543210";
    let keys = load(&[("DOUSHENG_AUTH__JWT_KEYS", long)])
        .unwrap()
        .jwt_keys()
        .unwrap();
    assert_eq!(
        keys.iter().map(|(kid, _)| kid.as_str()).collect::<Vec<_>>(),
        ["k1", "k2"]
    );
    for bad in [
        "",
        "nosecret",
        "k1:short",
        ":0123456789abcdef0123456789abcdef",
    ] {
        let error = load(&[("DOUSHENG_AUTH__JWT_KEYS", bad)])
            .unwrap()
            .jwt_keys()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("auth.jwt_keys") && !error.contains("short"),
            "{error}"
        );
    }
}

#[test]
fn a_secret_does_not_show() {
    let text = format!(
        "{:?}",
        load(&[(
            "DOUSHENG_AUTH__JWT_KEYS",
            "k1:0123456789abcdef0123456789abcdef"
        )])
        .unwrap()
    );
    assert!(
        !text.contains("0123456789abcdef") && !text.contains("dousheng-dev"),
        "{text}"
    );
}
