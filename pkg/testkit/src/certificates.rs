//! Certificates for one test: a CA, and a server certificate that it signed.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use tempfile::TempDir;

use crate::names;

/// Of the CA, of the request for the server's certificate, and of that one.
const CONFIG: &str = "
[req]
distinguished_name = name
prompt = no
x509_extensions = ca
[name]
CN = NAME
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[server]
basicConstraints = critical,CA:FALSE
subjectAltName = IP:127.0.0.1,DNS:localhost
extendedKeyUsage = serverAuth,clientAuth
";

/// Files in PEM, removed when the last clone goes. The certificate is good for 127.0.0.1 and localhost.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<TempDir>);

impl Certificates {
    /// Made anew, so that no two have a CA in common.
    pub fn make() -> Self {
        let directory = tempfile::tempdir().expect("a directory for certificates");
        // By the same name they would be taken for one, whose signature is wrong.
        let config = CONFIG.replace("NAME", &names::unique('-'));
        std::fs::write(directory.path().join("config"), config).expect("a file");
        for command in [
            "req -x509 -config config -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ca.key -out ca.pem",
            "req -new -config config -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request",
            "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile config -extensions server -out certificate.pem",
        ] {
            let output = Command::new("openssl")
                .args(command.split(' '))
                .current_dir(directory.path())
                .output()
                .expect("run openssl (`make test` installs it)");
            assert!(output.status.success(), "openssl {command}: {output:?}");
        }
        Self(Arc::new(directory))
    }

    /// The CA, for `tls.ca_file`.
    pub fn ca(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// What the server shows.
    pub fn certificate(&self) -> PathBuf {
        self.file("certificate.pem")
    }

    /// What proves that it is the server's.
    pub fn key(&self) -> PathBuf {
        self.file("key.pem")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// The port of a Redis, and its certificates if it speaks TLS.
pub(crate) fn redis_server(port: u16, tls: Option<&Certificates>) -> Vec<String> {
    let Some(tls) = tls else {
        return vec!["--port".to_owned(), port.to_string()];
    };
    let path = |path: PathBuf| path.display().to_string();
    let arguments = [
        ("--port", "0".to_owned()),
        ("--tls-port", port.to_string()),
        ("--tls-cluster", "yes".to_owned()),
        ("--tls-auth-clients", "no".to_owned()),
        ("--tls-cert-file", path(tls.certificate())),
        ("--tls-key-file", path(tls.key())),
        ("--tls-ca-cert-file", path(tls.ca())),
    ];
    let arguments = arguments.into_iter();
    arguments
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

/// How `redis-cli` asks it.
pub(crate) fn redis_cli(tls: Option<&Certificates>) -> Vec<String> {
    let ca = tls.map(Certificates::ca);
    let tls = |ca: &PathBuf| ["--tls".to_owned(), "--cacert".to_owned(), text(ca)];
    ca.iter().flat_map(tls).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
