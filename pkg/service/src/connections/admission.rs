//! A handle by which a request's handler tells the connection limit how far the request is admitted.
//!
//! The handler knows when a token was checked or the request was refused. The connection limit needs that for the minimum rate of the body
//! and for the order of eviction. Each call is one atomic step; the order doesn't matter, and repeating one is harmless.

use std::{net::IpAddr, sync::Arc};

use http::Extensions;

use super::{
    Connections,
    activity::{Activity, Phase},
};

/// The handle of one request. [`Process::serve_http`](crate::Process::serve_http) puts it into the request's extensions. A request whose
/// body has arrived completely, or that has none, is admitted by itself: work that has begun is never evicted.
///
/// | the body is | it must arrive | eviction |
/// |---|---|---|
/// | not admitted yet | within `http.admission_timeout_s`, or be admitted by then | after idle connections, the oldest first |
/// | [`counted`](Self::counted) | at `http.min_body_rate` at least | after those |
/// | [`admitted`](Self::admitted) | at `http.min_body_rate` at least | never |
/// | [`discarding`](Self::discarding) | at 256 KiB/s at least, within 5 minutes | before all others |
///
/// A body that arrives too slowly ends with [`BodyError::TooSlow`](super::BodyError::TooSlow), so the request can still be answered. An
/// evicted request ends where it waits: its handler is dropped and the connection closed.
#[derive(Clone, Default)]
pub struct Admission(Option<(Arc<Activity>, Arc<Connections>)>);

impl Admission {
    pub(super) fn new(activity: Arc<Activity>, all: Arc<Connections>) -> Self {
        Self(Some((activity, all)))
    }

    /// The handle of a request. A request without a connection, as in a test, has a handle that does nothing.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_default()
    }

    /// Sets the client of this request to the address that a trusted proxy gave. False when that client already has
    /// `http.max_connections_per_address` connections: then refuse the request.
    #[must_use]
    pub fn client(&self, address: IpAddr) -> bool {
        let Some((activity, all)) = &self.0 else {
            return true;
        };
        all.set_client(activity, settings::client_network(address))
    }

    /// The upload was counted for the rate limit of its address, before its token arrived. Its file may come at the minimum rate instead
    /// of within `http.admission_timeout_s`.
    pub fn counted(&self) {
        self.tell(Activity::counted);
    }

    /// The token is valid and within its limits: the request isn't evicted any more.
    pub fn admitted(&self) {
        self.tell(Activity::admitted);
    }

    /// The request is refused. The rest of its body is read and discarded, so that the client reads the answer. Call this before the
    /// first discarded byte is read and before an answer is sent. The request can't be admitted afterwards.
    pub fn discarding(&self) {
        self.tell(Activity::discarding);
    }

    /// The answer is ready.
    pub(super) fn answered(&self) {
        if let Some((activity, all)) = &self.0 {
            activity.end();
            // A body that is still discarded counts for the client that sends it.
            if activity.phase() != Phase::Discarding {
                all.set_client(activity, activity.own_client());
            }
        }
    }

    fn tell(&self, step: impl FnOnce(&Activity)) {
        if let Some((activity, _)) = &self.0 {
            step(activity);
        }
    }
}
