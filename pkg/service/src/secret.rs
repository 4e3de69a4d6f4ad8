//! The secret by which our processes know each other: shown with every call, for one hop.
//!
//! It keeps out whoever reaches a service's address without being one of us. It isn't encryption: who can listen on the network can
//! take it. No log and no answer holds it.

use metainfo::{Forward as _, METAINFO, MetaInfo};
use settings::Settings;
use subtle::ConstantTimeEq as _;
use volo::FastStr;

use crate::header;

/// `rpc.secret`: what is shown, and what is accepted. Cheap to clone.
#[derive(Clone)]
pub(crate) struct CallSecret(std::sync::Arc<[FastStr]>);

impl CallSecret {
    pub(crate) fn new(settings: &Settings) -> Self {
        let secrets = settings.rpc_secrets();
        Self(
            secrets
                .iter()
                .map(|secret| FastStr::from_string(secret.expose().to_owned()))
                .collect(),
        )
    }

    /// Puts it beside a call.
    pub(crate) fn show(&self, meta: &mut MetaInfo) {
        if let Some(secret) = self.0.first() {
            meta.set_transient(header::SECRET, secret.clone());
        }
    }

    /// Whether the call of this task may be served: it showed the secret, or none is asked for.
    pub(crate) fn is_shown(&self) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let shown = METAINFO.try_with(|meta| meta.borrow().get_upstream(header::SECRET));
        let Some(shown) = shown.ok().flatten() else {
            return false;
        };
        // All are compared, and each to its end: the time tells nothing but the length.
        let accepted = self
            .0
            .iter()
            .fold(subtle::Choice::from(0), |accepted, ours| {
                accepted | ours.as_bytes().ct_eq(shown.as_bytes())
            });
        accepted.into()
    }
}
