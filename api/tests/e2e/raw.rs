//! An HTTP client that writes raw bytes: half a body, then silence or a closed connection.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const REPLY_LIMIT: Duration = Duration::from_secs(30);

/// One connection.
pub struct Raw(TcpStream);

/// One answer on it, or a `100 Continue`.
#[derive(Debug)]
pub struct Answer {
    pub http: u16,
    /// It says that the connection will be closed.
    pub closes: bool,
    pub body: Value,
}

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

    /// As [`Self::send`], for a client that gives up when it can't write.
    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// The next answer on a connection that may be kept; none: there is no whole one.
    pub async fn answer(&mut self) -> Option<Answer> {
        tokio::time::timeout(REPLY_LIMIT, self.read_answer())
            .await
            .expect("an answer in time")
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?.to_lowercase();
        let http = head.split(' ').nth(1)?.parse().ok()?;
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let mut values = lines.filter(|(known, _)| *known == name);
            values.next().map(|(_, value)| value.to_owned())
        };
        let length = header("content-length").map_or(Some(0), |text| text.parse().ok())?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Answer {
            http,
            closes: header("connection").is_some_and(|value| value == "close"),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
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
