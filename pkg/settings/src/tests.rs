//! Settings from their sources: order, checks and error messages.

use std::{collections::HashMap, io::Write as _};

use super::{sources::Sources, *};

mod secrets;
mod tls;

fn from_variables(variables: HashMap<String, String>) -> Sources {
    Sources {
        file: None,
        variables,
    }
}

fn load(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let variables = variables
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    from_variables(variables).settings()
}

fn load_file(text: &str, variables: HashMap<String, String>) -> Result<Settings, SettingsError> {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let file = Some(file.path().to_owned());
    Sources { file, variables }.settings()
}

#[test]
fn the_defaults_are_valid() {
    let settings = load(&[]).unwrap();
    assert_eq!(settings.upload.max_bytes, 200 << 20);
    assert_eq!(settings.mysql.replica_urls.len(), 1);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let text = "[etcd]\nlease_ttl_s = 9\nprefix = \"file\"\n";
    let variables = HashMap::from([("DOUSHENG_ETCD__PREFIX".to_owned(), "variable".to_owned())]);
    let settings = load_file(text, variables).unwrap();
    assert_eq!(
        (settings.etcd.lease_ttl_s, settings.etcd.prefix.as_str()),
        (9, "variable")
    );
}

#[test]
fn a_list_and_a_number_can_come_from_the_environment() {
    let settings = load(&[
        (
            "DOUSHENG_ETCD__ENDPOINTS",
            "http://127.0.0.1:1, http://127.0.0.1:2",
        ),
        ("DOUSHENG_MYSQL__REPLICA_URLS", ""),
        ("DOUSHENG_UPLOAD__MAX_BYTES", "1024"),
    ])
    .unwrap();
    assert_eq!(
        settings.etcd.endpoints,
        ["http://127.0.0.1:1", "http://127.0.0.1:2"]
    );
    assert!(settings.mysql.replica_urls.is_empty());
    assert_eq!(settings.upload.max_bytes, 1024);
}

#[test]
fn an_unknown_key_is_named() {
    let error = load(&[("DOUSHENG_ETCD__ENDPOINT", "x")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("endpoint"), "{error}");
    let error = load_file("[htttp]\nlisten = \"x\"\n", HashMap::new())
        .unwrap_err()
        .to_string();
    assert!(error.contains("htttp"), "{error}");
}

#[test]
fn a_bad_value_names_its_key() {
    let error = load(&[("DOUSHENG_PAGE__FEED", "many")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("feed"), "{error}");
    let error = load(&[("DOUSHENG_PAGE__FEED", "31")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("page.feed: must be 1 to 30"), "{error}");
}

#[test]
fn counts_need_a_redis_of_two_databases_and_a_plain_prefix() {
    let settings = load(&[("DOUSHENG_REDIS__KEY_PREFIX", "test-1:a_b.c:")]).unwrap();
    assert_eq!(settings.redis.key_prefix, "test-1:a_b.c:");
    for (variable, bad, key) in [
        ("REDIS__URL", "http://127.0.0.1", "redis.url"),
        ("REDIS__COMMENTS_DB", "1", "redis.comments_db"),
        ("REDIS__KEY_PREFIX", "a*", "redis.key_prefix"),
        ("REDIS__KEY_PREFIX", "{a}", "redis.key_prefix"),
        ("REDIS__COUNTER_TTL_S", "1", "redis.counter_ttl_s"),
        ("REDIS__COMMAND_TIMEOUT_MS", "0", "redis.command_timeout_ms"),
        ("COUNTERS__FOLD_PERIOD_MS", "99", "counters.fold_period_ms"),
        ("COUNTERS__FOLD_WORKERS", "0", "counters.fold_workers"),
        ("COUNTERS__SCAN_PERIOD_S", "0", "counters.scan_period_s"),
    ] {
        let error = load(&[(&format!("DOUSHENG_{variable}"), bad)])
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("{key}: ")), "{error}");
    }
}

#[test]
fn a_videos_limits_are_above_zero() {
    for (variable, bad) in [
        ("MAX_DURATION_S", "0"),
        ("MAX_PIXELS", "0"),
        ("MAX_PIXELS", "2147483648"),
        ("MAX_STREAMS", "0"),
    ] {
        let error = load(&[(&format!("DOUSHENG_MEDIA__{variable}"), bad)])
            .unwrap_err()
            .to_string();
        let key = format!("media.{}: ", variable.to_lowercase());
        assert!(error.contains(&key), "{error}");
    }
}

#[test]
fn scratch_space_that_the_longest_video_does_not_fit_into_stops_the_start() {
    let mib = |count: u64| (count << 20).to_string();
    let with = |key: &str, value: &str| load(&[(&format!("DOUSHENG_{key}"), value)]);
    with("MEDIA__SCRATCH_BYTES", &mib(4243)).unwrap();
    for (key, bad) in [
        ("MEDIA__SCRATCH_BYTES", mib(4242)),
        ("MEDIA__MAX_DURATION_S", "7200".to_owned()),
        ("MEDIA__MAX_DURATION_S", "1000000000000000".to_owned()),
        ("TRANSCODER__MAX_BIT_RATE", "12000000".to_owned()),
        ("TRANSCODER__SMALL_BIT_RATE", "7900000".to_owned()),
    ] {
        let error = with(key, &bad).unwrap_err().to_string();
        assert!(error.contains("media.scratch_bytes: "), "{key}: {error}");
        assert!(error.contains("media.max_duration_s"), "{key}: {error}");
    }
    // Without small renditions the full one has all of it.
    let full_alone = [
        ("DOUSHENG_MEDIA__SMALL_HEIGHT", "0"),
        ("DOUSHENG_MEDIA__SCRATCH_BYTES", &mib(3520)),
    ];
    load(&full_alone).unwrap();
}

fn explain(text: &str, variables: &[(&str, &str)]) -> String {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let variables = variables.iter().map(|(k, v)| ((*k).into(), (*v).into()));
    let sources = Sources {
        file: Some(file.path().to_owned()),
        variables: variables.collect(),
    };
    let path = file.path().display().to_string();
    sources.explain().unwrap().replace(&path, "FILE")
}

/// The line of a key, blanks made one.
fn line<'a>(text: &'a str, section: &str, key: &str) -> String {
    let section: Vec<&'a str> = text
        .lines()
        .skip_while(|line| *line != format!("[{section}]"))
        .collect();
    let line = section
        .iter()
        .find(|line| line.starts_with(&format!("{key} = ")));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    words.join(" ")
}

#[test]
fn each_setting_is_shown_with_who_decided_it() {
    let text = explain(
        "[page]\nfeed = 7\nlist = 8\n",
        &[
            ("DOUSHENG_PAGE__LIST", "9"),
            ("DOUSHENG_MYSQL__REPLICA_URLS", ""),
        ],
    );
    assert_eq!(line(&text, "page", "feed"), "feed = 7 # FILE");
    assert_eq!(
        line(&text, "page", "list"),
        "list = 9 # DOUSHENG_PAGE__LIST"
    );
    assert_eq!(
        line(&text, "mysql", "replica_urls"),
        "replica_urls = [] # DOUSHENG_MYSQL__REPLICA_URLS"
    );
    assert_eq!(line(&text, "log", "format"), "format = \"auto\" # default");
    assert!(text.starts_with("environment = \"development\""), "{text}");
}

#[test]
fn what_is_shown_is_a_settings_file() {
    let shown = explain("", &[("DOUSHENG_PAGE__FEED", "7")]);
    let settings = load_file(&shown, HashMap::new()).unwrap();
    assert_eq!(settings.page.feed, 7);
    assert_eq!(explain(&shown, &[]).lines().count(), shown.lines().count());
}

#[test]
fn no_secret_is_shown() {
    let url = "mysql://me:pa:ss/w@rd@db.example/dousheng";
    let text = explain(
        "",
        &[
            ("DOUSHENG_MYSQL__PRIMARY_URL", url),
            (
                "DOUSHENG_MYSQL__REPLICA_URLS",
                &format!("{url},mysql://me@two/x"),
            ),
            (
                "DOUSHENG_AUTH__JWT_KEYS",
                "k1:0123456789abcdef0123456789abcdef",
            ),
            ("DOUSHENG_OBJECT_STORE__SECRET_KEY", "hidden"),
        ],
    );
    assert!(
        text.contains("\"mysql://me:***@db.example/dousheng\""),
        "{text}"
    );
    for secret in [
        "pa:ss",
        "w@rd",
        "0123456789abcdef",
        "hidden",
        "dousheng-dev",
    ] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert_eq!(
        line(&text, "auth", "jwt_keys"),
        "jwt_keys = \"***\" # DOUSHENG_AUTH__JWT_KEYS"
    );
}

#[test]
fn a_bad_key_is_named_with_who_set_it() {
    for (variable, value, named) in [
        (
            "DOUSHENG_PAGE__FED",
            "7",
            "page.fed: there is no such setting (set by: DOUSHENG_PAGE__FED",
        ),
        (
            "DOUSHENG_PAGE__FEED",
            "31",
            "page.feed: must be 1 to 30 (set by: DOUSHENG_PAGE__FEED)",
        ),
        ("DOUSHENG_PAGE__FEED", "many", "page.feed"),
        ("DOUSHENG_LOG__FORMAT", "loud", "log.format"),
        ("DOUSHENG_LOG__FORMAT__X", "1", "log.format.x"),
        ("DOUSHENG_HTTP__LISTEN", "here", "http.listen"),
    ] {
        let error = load(&[(variable, value)]).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn a_broken_file_is_named_without_what_stands_in_it() {
    let error = load_file(
        "[auth]\njwt_keys = \"k:hidden\nissuer = 1\n",
        HashMap::new(),
    )
    .unwrap_err()
    .to_string();
    assert!(error.contains("line 2"), "{error}");
    assert!(!error.contains("hidden"), "{error}");
}

#[test]
fn the_example_explains_each_key_of_the_struct_and_no_other() {
    let settings = serde_json::to_value(load(&[]).unwrap()).unwrap();
    let mut keys = std::collections::BTreeSet::new();
    for (name, value) in settings.as_object().unwrap() {
        match value.as_object() {
            Some(section) => keys.extend(section.keys().map(|key| format!("{name}.{key}"))),
            None => _ = keys.insert(name.clone()),
        }
    }
    let (mut explained, mut section, mut above) = (std::collections::BTreeSet::new(), "", "");
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name;
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            assert!(above.starts_with("# "), "no comment above: {line}");
            let dot = if section.is_empty() { "" } else { "." };
            assert!(
                explained.insert(format!("{section}{dot}{key}")),
                "twice: {line}"
            );
        }
        above = line;
    }
    assert_eq!(keys, explained);
}

#[test]
fn a_pace_that_no_body_could_keep_stops_the_start_by_its_name() {
    for (key, bad) in [
        ("http.admission_timeout_s", "0"),
        ("http.min_body_rate", "0"),
        ("http.min_body_rate_after_s", "3601"),
        ("http.max_connections_per_address", "10001"),
        ("upload.stall_timeout_s", "3601"),
        ("upload.parallel", "0"),
        ("upload.parallel_per_user", "10001"),
    ] {
        let variable = format!("DOUSHENG_{}", key.to_uppercase().replace('.', "__"));
        let error = load(&[(&variable, bad)]).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn an_origin_is_written_as_browsers_send_it() {
    let origins = |text| load(&[("DOUSHENG_HTTP__CORS_ORIGINS", text)]);
    assert!(load(&[]).unwrap().http.cors_origins.is_empty());
    let two = origins("https://app.example, http://localhost:3000").unwrap();
    assert_eq!(
        two.http.cors_origins,
        ["https://app.example", "http://localhost:3000"]
    );
    for bad in [
        "*",
        "null",
        "app.example",
        "https://app.example/",
        "https://App.example",
        "https://app.example:443",
        "ftp://app.example",
        "https://",
    ] {
        let error = origins(bad).unwrap_err().to_string();
        assert!(error.contains("http.cors_origins"), "{bad}: {error}");
    }
}

#[test]
fn only_a_setting_must_be_text() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};
    let no_text = || OsString::from_vec(vec![b'x', 0xff]);
    let others = [
        ("LESS_TERMCAP".into(), no_text()),
        (no_text(), "x".into()),
        ("DOUSHENG_TEST_RUN".into(), no_text()),
        (crate::FILE_VARIABLE.into(), no_text()),
        ("DOUSHENG_PAGE__FEED".into(), "7".into()),
        ("DOUSHENG_ENVIRONMENT".into(), "development".into()),
    ];
    let ours = sources::ours(others.into_iter()).unwrap();
    assert_eq!(ours.len(), 2, "{ours:?}");
    assert_eq!(from_variables(ours).settings().unwrap().page.feed, 7);

    let bad = [("DOUSHENG_PAGE__FEED".into(), no_text())];
    let error = sources::ours(bad.into_iter()).unwrap_err().to_string();
    assert!(error.contains("DOUSHENG_PAGE__FEED"), "{error}");
}

#[test]
fn the_public_port_shows_how_it_is_in_development_unless_it_is_told() {
    let shows = |variables: &[(&str, &str)]| load(variables).unwrap().has_admin_paths();
    assert!(shows(&[]));
    assert!(!shows(&[("DOUSHENG_HTTP__ADMIN_PATHS", "off")]));
    let mut production = secrets::PRODUCTION.to_vec();
    assert!(!shows(&production));
    production.push(("DOUSHENG_HTTP__ADMIN_PATHS", "on"));
    assert!(shows(&production));
}
