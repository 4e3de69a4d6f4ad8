//! Root certificates for TLS: those of the system, and those of the file that `tls.ca_file` names.
//!
//! For clients that take a configuration. There is one TLS library (rustls) and one crypto provider (ring) for all of them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, TrustAnchor, pem, pem::PemObject as _},
};

/// Why the root certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file can't be read.
    #[error("settings: tls.ca_file: {0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// The file isn't PEM.
    #[error("settings: tls.ca_file: {0}: {1}")]
    Pem(PathBuf, #[source] pem::Error),
    /// A certificate in the file can't be used as a root.
    #[error("settings: tls.ca_file: {0}: {1}")]
    Certificate(PathBuf, #[source] rustls::Error),
    /// Neither the system nor the settings have a root.
    #[error(
        "no root certificate is there to trust: install ca-certificates, or name some by tls.ca_file"
    )]
    NoRoots,
    /// The TLS library refused the configuration.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
}

/// The roots that are trusted.
///
/// # Errors
/// The file can't be used, or there is no root at all.
pub fn trust_anchors(ca_file: Option<&Path>) -> Result<Vec<TrustAnchor<'static>>, TlsError> {
    Ok(roots(ca_file)?.roots)
}

/// The configuration of a client that trusts them.
///
/// # Errors
/// As of [`trust_anchors`].
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    Ok(builder
        .with_root_certificates(roots(ca_file)?)
        .with_no_client_auth())
}

/// The reason of a failure. For an unknown certificate it adds what to do.
pub fn explain(reason: &str) -> String {
    if reason.contains("UnknownIssuer") {
        format!("{reason} (tls.ca_file names roots that are trusted besides the system's)")
    } else {
        reason.to_owned()
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in system.errors {
        tracing::warn!(%error, "some root certificates of the system can't be read");
    }
    // Some systems have certificates that rustls doesn't parse; they are skipped.
    roots.add_parsable_certificates(system.certs);
    if let Some(file) = ca_file {
        let content = fs::read(file).map_err(|error| TlsError::File(file.to_owned(), error))?;
        for certificate in CertificateDer::pem_slice_iter(&content) {
            let certificate = certificate.map_err(|error| TlsError::Pem(file.to_owned(), error))?;
            roots
                .add(certificate)
                .map_err(|error| TlsError::Certificate(file.to_owned(), error))?;
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    Ok(roots)
}
