//! Metrics of HTTP requests, RPCs, discovery and readiness.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use super::{
    families as name,
    recorder::{InProgress, label},
};

label! {
    /// How a call ended for its caller.
    CallOutcome {
        /// With a result.
        Ok = "ok",
        /// With a refusal that the caller can mend.
        Refused = "refused",
        /// No instance could be reached, or lacks what it depends on.
        Unavailable = "unavailable",
        /// Not within its time limit.
        TimedOut = "timed_out",
        /// In a way that the service didn't foresee.
        Internal = "internal",
        /// The caller gave up before.
        Cancelled = "cancelled",
    }
}

label! {
    /// How one attempt of a call ended.
    AttemptOutcome {
        /// With an answer, whatever it says.
        Answered = "answered",
        /// No connection: the next instance may be tried.
        NotSent = "not_sent",
        /// The connection broke, or the time was over: it may have been executed.
        Unanswered = "unanswered",
    }
}

label! {
    /// How it ended that the rest of a refused request was read and thrown away.
    DiscardOutcome {
        /// To its end: the connection can be kept.
        Whole = "whole",
        /// The client left.
        Broken = "broken",
        /// It came below the pace.
        TooSlow = "too_slow",
        /// It took too long.
        TooLong = "too_long",
        /// It was more than an upload may have.
        TooLarge = "too_large",
    }
}

/// A request that was answered after `took`. `route` and `method` are of a fixed set.
pub fn http_request(route: &'static str, method: &'static str, status: u16, took: Duration) {
    let status = status.to_string();
    counter!(name::HTTP_REQUESTS, "route" => route, "method" => method, "status" => status)
        .increment(1);
    histogram!(name::HTTP_DURATION, "route" => route).record(took);
}

/// A request is being worked on.
pub fn http_in_progress() -> InProgress {
    InProgress::begin(gauge!(name::HTTP_IN_PROGRESS))
}

/// The rest of a refused request was read and thrown away, so many bytes of it.
pub fn discarded(outcome: DiscardOutcome, bytes: u64) {
    counter!(name::DISCARDED, "outcome" => outcome.label()).increment(1);
    counter!(name::DISCARDED_BYTES).increment(bytes);
}

/// A call that was served. `method` is of the interface, `code` of the table of codes (0: success).
pub fn rpc_served(method: &str, code: i32, took: Duration) {
    let method = method.to_owned();
    counter!(name::RPC_SERVED, "method" => method.clone(), "code" => code.to_string()).increment(1);
    histogram!(name::RPC_SERVED_DURATION, "method" => method).record(took);
}

/// A call is being served.
pub fn rpc_in_progress() -> InProgress {
    InProgress::begin(gauge!(name::RPC_SERVED_IN_PROGRESS))
}

/// A call of another service, with all its attempts.
pub fn rpc_call(callee: &str, method: &str, outcome: CallOutcome, took: Duration) {
    let (callee, method) = (callee.to_owned(), method.to_owned());
    histogram!(name::RPC_CALL_DURATION, "callee" => callee.clone(), "method" => method.clone())
        .record(took);
    let outcome = outcome.label();
    counter!(name::RPC_CALLS, "callee" => callee, "method" => method, "outcome" => outcome)
        .increment(1);
}

/// One attempt of a call.
pub fn rpc_attempt(callee: &str, outcome: AttemptOutcome) {
    counter!(name::RPC_ATTEMPTS, "callee" => callee.to_owned(), "outcome" => outcome.label())
        .increment(1);
}

/// An attempt that would have been repeated.
pub fn rpc_retry_refused(callee: &str) {
    counter!(name::RPC_RETRIES_REFUSED, "callee" => callee.to_owned()).increment(1);
}

/// A call was served that showed the secret in place of a proof.
pub fn rpc_clear_secret() {
    counter!(name::RPC_CLEAR_SECRET).increment(1);
}

/// How well something is that this process depends on: 1 up, 0.5 degraded, 0 down.
pub fn dependency(name: &str, health: f64) {
    gauge!(name::DEPENDENCY_UP, "dependency" => name.to_owned()).set(health);
}

/// How many instances of a service are known now.
pub fn registry_instances(callee: &str, count: usize) {
    gauge!(name::REGISTRY_INSTANCES, "callee" => callee.to_owned()).set(count as f64);
}

/// Whether etcd has this process's own registration.
pub fn registry_registered(yes: bool) {
    gauge!(name::REGISTRY_REGISTERED).set(f64::from(u8::from(yes)));
}
