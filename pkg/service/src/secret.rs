//! Authentication of calls: the client attaches a proof to each attempt, the server verifies it.
//!
//! A proof is valid for one attempt to one instance; pkg/proof defines it. The secret itself is sent only if the settings say so, for an
//! upgrade. No log and no answer contains a proof or the secret.

use std::net::SocketAddr;

use metainfo::{Forward as _, METAINFO};
use proof::{Call, Secrets, Verifier};
use settings::{ClearSecret, Settings};
use subtle::ConstantTimeEq as _;
use telemetry::metrics;
use volo::{FastStr, context::Context as _};
use volo_thrift::context::{ClientContext, ServerContext};

use crate::header;

/// Makes the proofs of a client. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Prover {
    secrets: Secrets,
    /// The secret itself, if calls still send it.
    clear: Option<FastStr>,
}

impl Prover {
    pub(crate) fn new(settings: &Settings) -> Self {
        let shows = settings.rpc.clear_secret == ClearSecret::Show;
        Self {
            secrets: Secrets::new(settings),
            clear: clear(settings).into_iter().next().filter(|_| shows),
        }
    }

    /// Attaches the proof of an attempt at `address` to the call of this task.
    pub(crate) fn prove(&self, cx: &ClientContext, address: SocketAddr) {
        let info = cx.rpc_info();
        let proof = self.secrets.prove(&Call {
            service: info.callee().service_name_ref(),
            address,
            method: info.method(),
            caller: info.caller().service_name_ref(),
        });
        METAINFO.with(|meta| {
            let mut meta = meta.borrow_mut();
            if let Some(proof) = proof {
                meta.set_transient(header::PROOF, proof);
            }
            if let Some(clear) = &self.clear {
                meta.set_transient(header::SECRET, clear.clone());
            }
        });
    }
}

/// Authenticates the calls to an instance.
pub(crate) struct CallAuthenticator {
    service: String,
    address: SocketAddr,
    verifier: Verifier,
    /// Secrets that a call may send instead of a proof.
    clear: Vec<FastStr>,
}

impl CallAuthenticator {
    /// For the instance of `service` that is registered at `address`.
    pub(crate) fn new(settings: &Settings, service: &str, address: SocketAddr) -> Self {
        let accepts = settings.rpc.clear_secret != ClearSecret::Refuse;
        Self {
            service: service.to_owned(),
            address,
            verifier: Verifier::new(Secrets::new(settings)),
            clear: if accepts { clear(settings) } else { Vec::new() },
        }
    }

    /// Whether the call of this task may be served.
    ///
    /// # Errors
    /// What the call lacks, in words for the developer of the caller.
    pub(crate) fn authenticate(&self, cx: &ServerContext) -> Result<(), String> {
        if self.verifier.is_empty() {
            return Ok(());
        }
        let upstream = |key: &str| {
            let value = METAINFO.try_with(|meta| meta.borrow().get_upstream(key));
            value.ok().flatten()
        };
        if let Some(proof) = upstream(header::PROOF) {
            let info = cx.rpc_info();
            let call = Call {
                service: &self.service,
                address: self.address,
                method: info.method(),
                caller: info.caller().service_name_ref(),
            };
            let verified = self.verifier.verify(&call, &proof);
            return verified.map_err(|refusal| refusal.to_string());
        }
        if upstream(header::SECRET).is_some_and(|shown| self.is_one_of_ours(&shown)) {
            metrics::rpc_clear_secret();
            return Ok(());
        }
        Err(format!(
            "the call has no proof: put one made with rpc.secret beside each attempt, as the transient value {} (idl/README.md)",
            header::PROOF
        ))
    }

    /// Compares with all secrets in constant time: the time tells only the length.
    fn is_one_of_ours(&self, shown: &str) -> bool {
        let found = self
            .clear
            .iter()
            .fold(subtle::Choice::from(0), |found, ours| {
                found | ours.as_bytes().ct_eq(shown.as_bytes())
            });
        found.into()
    }
}

fn clear(settings: &Settings) -> Vec<FastStr> {
    let secrets = settings.rpc_secrets();
    secrets
        .iter()
        .map(|secret| FastStr::from_string(secret.expose().to_owned()))
        .collect()
}
