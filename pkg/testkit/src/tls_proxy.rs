//! A TLS proxy before a server that speaks no TLS, like a load balancer.

use std::{fs, net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

use crate::Certificates;

/// Passes on what comes by TLS. Ended when the value goes.
#[derive(Debug)]
pub struct TlsProxy {
    address: SocketAddr,
    task: AbortHandle,
}

impl TlsProxy {
    /// Before the server at `target` ("127.0.0.1:9000").
    pub async fn before(target: &str, certificates: &Certificates) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config(certificates)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let target = target.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, target) = (acceptor.clone(), target.clone());
                tokio::spawn(async move {
                    // Who doesn't trust the certificate leaves.
                    let mut client = acceptor.accept(stream).await?;
                    let mut server = TcpStream::connect(target).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Self {
            address,
            task: task.abort_handle(),
        }
    }

    /// `https://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn config(certificates: &Certificates) -> ServerConfig {
    let pem = fs::read(certificates.certificate()).expect("the certificate");
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .expect("a certificate");
    let key = fs::read(certificates.key()).expect("the key");
    let key = PrivateKeyDer::from_pem_slice(&key).expect("a key");
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a server's settings")
}
