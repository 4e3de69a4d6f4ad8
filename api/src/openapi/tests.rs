//! The OpenAPI document is the committed snapshot, and it has every route, code and example.

use std::collections::BTreeSet;

use super::*;

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
        "the contract's document has changed. If that is meant: RENEW_OPENAPI=1 cargo test -p api --lib openapi, and commit api/openapi.json"
    );
}

#[test]
fn the_document_has_every_route() {
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
            .filter(|line| {
                let first = line
                    .strip_prefix("| ")
                    .and_then(|row| row.split(' ').next());
                first.is_some_and(|cell| cell.parse::<i32>().is_ok())
                    && line.matches('|').count() == 5
            })
            .collect();
        let table = CODES.map(|(code, english, chinese)| {
            let status = ApiError::new(code).http_status().as_u16();
            format!("| {} | {status} | {english} | {chinese} |", code.inner())
        });
        assert_eq!(rows, table);
    }
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

/// What the contract's failed register and login carry, and nothing else does.
#[test]
fn a_failure_carries_an_empty_session_where_the_contract_says_so() {
    for route in routes() {
        let carries = (route.failure_content)().example;
        let expected = match route.path {
            "/douyin/user/register/" | "/douyin/user/login/" => {
                serde_json::json!({"user_id": 0, "token": ""})
            }
            _ => serde_json::json!({}),
        };
        assert_eq!(carries, expected, "{}", route.path);
    }
}
