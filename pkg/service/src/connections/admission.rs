//! How far a request is admitted, told by who handles it: it decides how fast its body must come and who gives up its place first.
//!
//! Only the handler knows when a token was checked or a request was refused; only the connection knows how fast bytes come and
//! whether places run short. This handle is all that passes between them. Each call is one atomic step, in any order, harmless twice.

use std::{net::IpAddr, sync::Arc};

use http::Extensions;

use super::{
    Connections,
    activity::{Activity, Phase},
};

/// The connection of one request, in the extensions of the requests that [`Process::serve_http`](crate::Process::serve_http) hands
/// out. A request whose body has come whole, or that has none, is admitted without a word: work that has begun is never cut for room.
///
/// | the body is | it must come | under pressure its place is given up |
/// |---|---|---|
/// | not admitted yet | within `http.admission_timeout_s`, or be admitted by then | after idle connections, the oldest first |
/// | [`counted`](Self::counted) | at `http.min_body_rate` at least | after those |
/// | [`admitted`](Self::admitted) | at `http.min_body_rate` at least | never |
/// | [`discarding`](Self::discarding) | at 256 KiB/s at least, within 5 minutes | before all others |
///
/// A body that comes too slowly ends with [`BodyError::TooSlow`](super::BodyError::TooSlow), so that it can still be answered. A
/// request whose place was given up ends where it waits: its handler is dropped, and the connection closed.
#[derive(Clone, Default)]
pub struct Admission(Option<(Arc<Activity>, Arc<Connections>)>);

impl Admission {
    pub(super) fn new(activity: Arc<Activity>, all: Arc<Connections>) -> Self {
        Self(Some((activity, all)))
    }

    /// Of a request; of one that came on no connection, as in a test, a handle that does nothing.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_default()
    }

    /// Who the client is, where that isn't the other end of the connection: what a trusted proxy says. Holds for this request; false:
    /// this client has `http.max_connections_per_address` already, so the request is to be refused.
    #[must_use]
    pub fn client(&self, address: IpAddr) -> bool {
        let Some((activity, all)) = &self.0 else {
            return true;
        };
        all.set_client(activity, settings::client_network(address))
    }

    /// An upload of somebody who hasn't shown a token was counted for its address, and its file may come: at the minimum rate
    /// instead of within the time for what comes before a token.
    pub fn counted(&self) {
        self.tell(Activity::counted);
    }

    /// The token is checked and what it may do is claimed: the request keeps its place to its end.
    pub fn admitted(&self) {
        self.tell(Activity::admitted);
    }

    /// The request is refused; the rest of its body is read and thrown away, so that the client gets to read the answer. To be
    /// called before the first byte that is thrown away is read, and before the answer when that goes out ahead of it. There is no way
    /// back to admitted.
    pub fn discarding(&self) {
        self.tell(Activity::discarding);
    }

    /// The answer is there.
    pub(super) fn answered(&self) {
        if let Some((activity, all)) = &self.0 {
            activity.end();
            // What is thrown away behind an answer still counts for who sends it.
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
