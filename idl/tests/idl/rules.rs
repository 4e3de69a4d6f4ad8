//! Every rule of the interfaces against real servers: with a value that just keeps it and one that breaks it.

mod comment;
mod edges;
mod favorite;
mod message;
mod relation;
mod servers;
mod user;
mod video;

use std::{collections::BTreeSet, fs};

use edges::Edge;
use idl::{RULES, RuleEntry, ValidateError, base::Code};
use servers::{Clients, Servers};
use volo_thrift::{BizError, ClientError};

/// Of all files.
fn all_edges() -> Vec<Edge> {
    let files = [
        user::edges(),
        video::edges(),
        favorite::edges(),
        comment::edges(),
        relation::edges(),
        message::edges(),
    ];
    files.into_iter().flatten().collect()
}

/// Calls every method of every service; the number of methods.
async fn call_everything(clients: &Clients) -> Result<usize, ClientError> {
    Ok(user::call_everything(clients).await?
        + video::call_everything(clients).await?
        + favorite::call_everything(clients).await?
        + comment::call_everything(clients).await?
        + relation::call_everything(clients).await?
        + message::call_everything(clients).await?)
}

fn entry(edge: &Edge) -> RuleEntry {
    let same = |e: &&RuleEntry| {
        (e.file, e.strct, e.field, e.rule) == (edge.file, edge.strct, edge.field, edge.rule)
    };
    *RULES.iter().find(same).unwrap_or_else(|| {
        panic!(
            "{}.{}.{} has no rule {:?}",
            edge.file, edge.strct, edge.field, edge.rule
        )
    })
}

/// The answer must name the field, the rule and its limit.
fn assert_refused(edge: &Edge, answer: Result<(), ClientError>) {
    let entry = entry(edge);
    let Err(ClientError::Biz(error)) = answer else {
        panic!("{entry:?}: no business error but {answer:?}");
    };
    assert_eq!(idl::code(&error), Code::BAD_PARAMETER, "{entry:?}");
    let broken = ValidateError::from_biz(&error).unwrap_or_else(|| panic!("{entry:?}: {error}"));
    let told = broken.to_string();
    let field = format!("{}{}", edge.within, entry.field);
    assert_eq!(
        (broken.field, broken.rule, broken.limit.as_str()),
        (field, entry.rule, entry.limit),
        "{entry:?}"
    );
    assert_eq!(error.status_message, told, "{entry:?}");
}

#[test]
fn every_rule_of_the_files_has_its_edge_here() {
    let mut missing: BTreeSet<String> = RULES.iter().map(|entry| format!("{entry:?}")).collect();
    for edge in all_edges() {
        let entry = entry(&edge);
        assert!(
            missing.remove(&format!("{entry:?}")),
            "{entry:?} is here twice"
        );
    }
    assert!(missing.is_empty(), "rules without an edge: {missing:#?}");
}

#[test]
fn a_refusal_names_its_rule_as_the_file_does() {
    for entry in RULES {
        let path = format!("{}/{}.thrift", env!("CARGO_MANIFEST_DIR"), entry.file);
        let file = fs::read_to_string(path).unwrap();
        let begin = format!("struct {} {{", entry.strct);
        let (_, strct) = file.split_once(&begin).expect(&begin);
        let name = format!(" {} (vt.", entry.field.trim_end_matches("[]"));
        let field = strct.lines().find(|line| line.contains(&name)).unwrap();
        let error = ValidateError::new(entry.field, entry.rule, entry.limit);
        let extra = BizError::from(error.clone()).extra.unwrap();
        let elem = "elem.".repeat(entry.field.matches("[]").count());
        let rule = format!("vt.{elem}{} = ", extra["rule"]);
        assert!(field.contains(&rule), "{rule:?} is not in {field:?}");
        // The name alone is not enough: texts and lists have some in common.
        let within = error.within("outer");
        assert_eq!(
            ValidateError::from_biz(&within.clone().into()),
            Some(within)
        );
    }
}

#[tokio::test]
async fn a_broken_rule_never_lets_the_rpc_leave_the_client() {
    let servers = Servers::start().await;
    let clients = Clients::with_layer(&servers);
    for edge in all_edges() {
        assert_refused(&edge, (edge.broken)(&clients).await);
        assert_eq!(
            servers.seen.counts(),
            (0, 0),
            "{:?} reached a server",
            entry(&edge)
        );
    }
    // A connection that a refused call had opened would be accepted before those of the calls that follow.
    let methods = call_everything(&clients).await.unwrap();
    assert_eq!(
        servers.seen.counts(),
        (6, methods),
        "one connection a service, one request a method"
    );
}

#[tokio::test]
async fn the_server_refuses_a_broken_rule_of_a_client_without_the_layer() {
    let servers = Servers::start().await;
    let clients = Clients::without_layer(&servers);
    for edge in all_edges() {
        assert_refused(&edge, (edge.broken)(&clients).await);
        let (connections, handled) = servers.seen.counts();
        assert!(connections > 0, "{:?} was not sent", entry(&edge));
        assert_eq!(handled, 0, "{:?} reached the handler", entry(&edge));
    }
}

#[tokio::test]
async fn a_rule_that_is_only_just_kept_lets_the_request_reach_its_handler() {
    let servers = Servers::start().await;
    let clients = Clients::with_layer(&servers);
    for (sent, edge) in all_edges().iter().enumerate() {
        let answer = (edge.kept)(&clients).await;
        assert!(answer.is_ok(), "{:?}: {answer:?}", entry(edge));
        assert_eq!(servers.seen.counts().1, sent + 1, "{:?}", entry(edge));
    }
}
