//! One HTTP/1.1 connection that is kept: the least that can send a request and find the end of its answer, because the load
//! generator shares the cores with what it measures.

use std::{
    io::{Error, ErrorKind, Result},
    net::{Ipv4Addr, SocketAddr},
};

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

const READ: usize = 64 << 10;
/// hyper writes names in lower case.
const LENGTH: &[u8] = b"content-length: ";
/// Stands near the front of every body.
const SUCCESS: &[u8] = br#""status_code":0"#;

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// HTTP 200, and success by the contract.
    pub fn is_success(&self) -> bool {
        self.status == 200 && memmem::find(self.body, SUCCESS).is_some()
    }

    pub fn text(&self) -> String {
        format!(
            "HTTP {}: {}",
            self.status,
            String::from_utf8_lossy(self.body)
        )
    }
}

impl Connection {
    /// From `source`, which lies on loopback as well: limits by address count each apart.
    pub async fn open(source: Ipv4Addr, to: SocketAddr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        let buffer = Vec::with_capacity(READ);
        Ok(Self { stream, buffer })
    }

    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let start = loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.read().await?;
        };
        let head = &self.buffer[..start];
        let status = head.get(9..12).and_then(number);
        let length = memmem::find(head, LENGTH).and_then(|at| number(&head[at + LENGTH.len()..]));
        let (Some(status), Some(length)) = (status, length) else {
            let head = String::from_utf8_lossy(head).into_owned();
            return Err(Error::new(ErrorKind::InvalidData, head));
        };
        let end = start + length;
        while self.buffer.len() < end {
            self.read().await?;
        }
        Ok(Answer {
            status: u16::try_from(status).unwrap_or_default(),
            body: &self.buffer[start..end],
        })
    }

    async fn read(&mut self) -> Result<()> {
        self.buffer.reserve(READ);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The decimal digits at the front.
fn number(text: &[u8]) -> Option<usize> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}
