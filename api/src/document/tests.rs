use std::collections::BTreeSet;

use super::*;
use crate::router::routes;

const SNAPSHOT: &str = include_str!("../../openapi.json");

#[test]
fn the_snapshot_is_the_document() {
    if std::env::var_os("RENEW_OPENAPI").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        std::fs::write(path, json()).unwrap();
        return;
    }
    assert!(
        json() == SNAPSHOT,
        "the contract's document has changed. If that is meant: RENEW_OPENAPI=1 cargo test -p api --lib document, and commit api/openapi.json"
    );
}

#[test]
fn the_document_has_the_routes_of_the_router() {
    let document: Value = serde_json::from_str(json()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let methods = match method.as_str() {
                "get" => "GET, HEAD",
                "post" => "POST",
                other => panic!("{other} {path}"),
            };
            documented.insert((path.clone(), methods));
        }
    }
    let routed = routes()
        .iter()
        .map(|route| (route.path.to_owned(), route.methods))
        .collect();
    assert_eq!(documented, routed);
}

#[test]
fn the_document_and_the_readme_have_the_table_of_codes() {
    let document: Value = serde_json::from_str(json()).unwrap();
    let description = document["info"]["description"].as_str().unwrap();
    for text in [description, include_str!("../../README.md")] {
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
            .collect();
        let table = TABLE.map(|(code, english, chinese)| {
            let status = ApiError::new(code).http_status().as_u16();
            format!("| {} | {status} | {english} | {chinese} |", code.inner())
        });
        assert_eq!(rows, table);
    }
}

/// Before a route is found its limit may refuse: with what the route sends when it fails.
#[test]
fn a_request_too_many_is_refused_as_the_document_says() {
    for operation in operations() {
        let path = operation.path;
        for path in [path, path.trim_end_matches('/')] {
            assert_eq!(
                crate::limit::sends_session(path),
                operation.empty_session,
                "{path}"
            );
        }
    }
    assert!(!crate::limit::sends_session("/douyin/user/login//"));
}

/// The codes that a route may give stand at it: each of them has an example.
#[test]
fn every_reply_has_its_examples() {
    let document: Value = serde_json::from_str(json()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let ok = &operation["responses"]["200"]["content"]["application/json"];
            let refusals = &ok["schema"]["oneOf"][1]["properties"]["status_code"]["enum"];
            for code in refusals.as_array().unwrap() {
                let example = &ok["examples"][code.to_string()]["value"];
                assert_eq!(example["status_code"], *code, "{path}");
            }
            assert_eq!(ok["examples"]["0"]["value"]["status_code"], 0, "{path}");
        }
    }
}

/// A form's part is kept only if its name is known.
#[test]
fn every_documented_parameter_is_known_to_the_forms() {
    let mut documented = BTreeSet::from(["token"]);
    for operation in operations() {
        documented.extend(operation.parameters.iter().map(|parameter| parameter.name));
    }
    documented.remove(crate::params::multipart::FILE);
    assert_eq!(documented, BTreeSet::from(crate::params::NAMES));
}
