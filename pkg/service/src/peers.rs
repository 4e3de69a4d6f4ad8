//! The health of another service: the readiness reports of its instances, combined.
//!
//! The service works if one instance works. An instance that doesn't work degrades it.

use std::{collections::BTreeMap, io, net::SocketAddr, time::Duration};

use futures::future::join_all;
use http::{Request, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use registry::{Instance, Instances};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    BoxError,
    readiness::{Finding, Outcome, Report, State},
};

/// How long one instance may take: longer than its own checks.
const INSTANCE_LIMIT: Duration = Duration::from_millis(1300);
/// How long the whole may take.
pub(crate) const SERVICE_LIMIT: Duration = Duration::from_millis(1500);
/// Instances that are asked at most.
const MAX_ASKED: usize = 16;
/// Longest answer, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// Asks the instances that are known now.
pub(crate) async fn ask(instances: Instances) -> Outcome {
    let known = instances.current();
    let asked: Vec<&Instance> = known.iter().take(MAX_ASKED).collect();
    let answers = join_all(asked.into_iter().map(ask_one)).await;
    combine(answers)
}

async fn ask_one(instance: &Instance) -> Result<Report, String> {
    match timeout(INSTANCE_LIMIT, report_of(instance)).await {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(error)) => match error.downcast_ref::<io::Error>() {
            Some(error) => Err(format!("no connection: {}", error.kind())),
            None => Err("the answer is not understood".to_owned()),
        },
        Err(_) => Err("no answer in time".to_owned()),
    }
}

async fn report_of(instance: &Instance) -> Result<Report, BoxError> {
    let Some(admin) = instance.admin else {
        // An instance without an admin port, such as a Kitex service: only its registration is known.
        TcpStream::connect(instance.address).await?;
        return Ok(Report {
            service: String::new(),
            state: State::Up,
            checks: BTreeMap::new(),
        });
    };
    get_report(admin).await
}

async fn get_report(admin: SocketAddr) -> Result<Report, BoxError> {
    let stream = TcpStream::connect(admin).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/readyz")
        .header(header::HOST, admin.to_string())
        .body(Empty::<Bytes>::new())?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let body = Limited::new(answer.into_body(), MAX_ANSWER)
            .collect()
            .await?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    };
    // The connection moves the bytes; it ends with the exchange.
    tokio::select! {
        answer = exchange => answer,
        ended = connection => {
            ended?;
            Err("the connection was closed".into())
        }
    }
}

fn combine(answers: Vec<Result<Report, String>>) -> Outcome {
    if answers.is_empty() {
        return (
            State::Down,
            Some("no instance is known".to_owned()),
            BTreeMap::new(),
        );
    }
    let count = answers.len();
    let (mut states, mut reason) = (Vec::with_capacity(count), None);
    let mut checks: BTreeMap<String, Finding> = BTreeMap::new();
    for answer in answers {
        match answer {
            Ok(report) => {
                if report.state != State::Up {
                    reason = reason.or_else(|| Some(worst_reason(&report)));
                }
                states.push(report.state);
                for (name, finding) in report.checks {
                    // The worst state that an instance reports.
                    match checks.get(&name) {
                        Some(known) if known.state >= finding.state => {}
                        _ => _ = checks.insert(name, finding),
                    }
                }
            }
            Err(error) => {
                reason = reason.or(Some(error));
                states.push(State::Down);
            }
        }
    }
    let troubled = states.iter().filter(|state| **state != State::Up).count();
    let state = match (states.iter().min(), troubled) {
        (Some(State::Down), _) => State::Down,
        (_, 0) => State::Up,
        _ => State::Degraded,
    };
    let reason = reason.map(|reason| format!("{troubled} of {count} instances: {reason}"));
    (state, reason, checks)
}

/// The reason why an instance isn't up: its worst finding.
fn worst_reason(report: &Report) -> String {
    let worst = report
        .checks
        .iter()
        .max_by_key(|(_, finding)| finding.state);
    match worst {
        Some((name, finding)) => {
            format!("{name}: {}", finding.reason.as_deref().unwrap_or("not up"))
        }
        None => "not up".to_owned(),
    }
}
