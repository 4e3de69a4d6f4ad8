//! `tls.ca_file`: one file of root certificates, passed to every section that connects by TLS.

use std::{fs, path::Path};

use crate::{Secret, Settings, SettingsError};

/// How a certificate begins in PEM.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

impl Settings {
    pub(super) fn check_tls(&self) -> Result<(), SettingsError> {
        let file = Path::new(&self.tls.ca_file);
        let reason = if self.tls.ca_file.is_empty() {
            return Ok(());
        } else if !file.is_absolute() {
            "must be an absolute path, as each process has a working directory of its own"
                .to_owned()
        } else {
            match fs::read(file) {
                Ok(pem) if String::from_utf8_lossy(&pem).contains(CERTIFICATE) => return Ok(()),
                Ok(_) => format!("{}: holds no certificate in PEM", file.display()),
                Err(error) => format!("{}: {error}", file.display()),
            }
        };
        Err(SettingsError::Invalid {
            key: "tls.ca_file",
            reason,
        })
    }

    /// Hands the file to the sections. MySQL's driver knows it by a parameter of the URL.
    pub(super) fn spread_ca_file(&mut self) {
        if self.tls.ca_file.is_empty() {
            return;
        }
        let file = Some(Path::new(&self.tls.ca_file).to_owned());
        self.trace.ca_file = file.clone();
        self.redis.ca_file = file.clone();
        self.etcd.ca_file = file.clone();
        self.object_store.ca_file = file;
        let mysql = &mut self.mysql;
        let urls = [&mut mysql.primary_url, &mut mysql.migrate_url];
        for url in urls.into_iter().chain(&mut mysql.replica_urls) {
            *url = with_ca_file(url, &self.tls.ca_file);
        }
    }
}

/// Unless it names a file of its own.
fn with_ca_file(url: &Secret, file: &str) -> Secret {
    let url = url.expose();
    let (_, query) = url.split_once('?').unwrap_or_default();
    let names_one = |pair: &str| pair.starts_with("ssl-ca=") || pair.starts_with("sslca=");
    if url.is_empty() || query.split('&').any(names_one) {
        return Secret::new(url);
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    let mut file_escaped = String::new();
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            file_escaped.push(char::from(byte));
        } else {
            file_escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Secret::new(format!("{url}{separator}ssl-ca={file_escaped}"))
}
