//! HTTP by hand, for what no well-behaved client does: half a body, then silence or a closed connection.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const REPLY_LIMIT: Duration = Duration::from_secs(30);

/// One connection.
pub struct Raw(TcpStream);

impl Raw {
    pub async fn connect(base: &str) -> Self {
        let address = base.trim_start_matches("http://");
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// A server that has refused the request may close the connection, so a failed write is no error.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// One chunk of a chunked body.
    pub async fn send_chunk(&mut self, bytes: &[u8]) {
        self.send(format!("{:x}\r\n", bytes.len()).as_bytes()).await;
        self.send(bytes).await;
        self.send(b"\r\n").await;
    }

    /// Says that nothing more will come, as a client does that was closed.
    pub async fn finish(&mut self) {
        let _ = self.0.shutdown().await;
    }

    /// All that comes until the server closes; needs `connection: close` in the (last) request.
    pub async fn all(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(REPLY_LIMIT, self.0.read_to_end(&mut bytes));
        // What came before a reset is the reply all the same.
        let _ = read.await.expect("a reply in time");
        bytes
    }

    /// Status and JSON body; needs `connection: close` in the request.
    pub async fn reply(&mut self) -> (u16, Value) {
        let bytes = self.all().await;
        let text = String::from_utf8_lossy(&bytes);
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let body = text.find('{').map_or(Value::Null, |start| {
            let end = text.rfind('}').map_or(start, |end| end + 1);
            serde_json::from_str(&text[start..end]).unwrap_or_default()
        });
        (status.unwrap_or_else(|| panic!("no reply: {text:?}")), body)
    }
}
