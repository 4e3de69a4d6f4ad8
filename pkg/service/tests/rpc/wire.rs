//! Messages as they are on the wire, read and written without the framework: TTHeader, framed, binary.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The types of a message of thrift.
pub const CALL: u8 = 1;
pub const REPLY: u8 = 2;
pub const EXCEPTION: u8 = 3;
/// Headers by number: who calls, what, and for how many milliseconds it waits.
pub const FROM_SERVICE: u16 = 3;
pub const TO_METHOD: u16 = 9;
pub const RPC_TIMEOUT: u16 = 12;
/// A struct without a field.
pub const EMPTY_STRUCT: &[u8] = &[0];

const MAGIC: u16 = 0x1000;
const STRING_HEADERS: u8 = 1;
const INTEGER_HEADERS: u8 = 0x10;

#[derive(Debug, PartialEq)]
pub struct Message {
    pub headers: BTreeMap<String, String>,
    /// Those whose keys are numbers.
    pub integers: BTreeMap<u16, String>,
    pub kind: u8,
    pub method: String,
    pub sequence: u32,
    pub body: Vec<u8>,
}

impl Message {
    /// The next message; `None` at the end of the connection.
    pub async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Self> {
        let length = stream.read_u32().await.ok()?;
        let mut bytes = vec![0; length as usize];
        stream.read_exact(&mut bytes).await.ok()?;
        Some(Self::parse(&bytes))
    }

    /// Without the length in front.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut rest = Rest(bytes);
        assert_eq!(rest.u16(), MAGIC);
        let (_flags, _sequence) = (rest.u16(), rest.u32());
        let size = usize::from(rest.u16()) * 4;
        let mut infos = Rest(rest.take(size));
        let (_protocol, transforms) = (infos.u8(), infos.u8());
        assert_eq!(transforms, 0);
        let (mut headers, mut integers) = (BTreeMap::new(), BTreeMap::new());
        while !infos.0.is_empty() {
            match infos.u8() {
                0 => {}
                STRING_HEADERS => {
                    for _ in 0..infos.u16() {
                        let key = infos.short_text();
                        headers.insert(key, infos.short_text());
                    }
                }
                INTEGER_HEADERS => {
                    for _ in 0..infos.u16() {
                        let key = infos.u16();
                        integers.insert(key, infos.short_text());
                    }
                }
                other => panic!("headers of kind {other}"),
            }
        }
        assert_eq!(rest.u32() as usize, rest.0.len(), "the frame");
        let version = rest.u32().to_be_bytes();
        assert_eq!(version[..2], [0x80, 1]);
        let length = rest.u32() as usize;
        let method = String::from_utf8(rest.take(length).to_vec()).unwrap();
        Self {
            headers,
            integers,
            kind: version[3],
            method,
            sequence: rest.u32(),
            body: rest.0.to_vec(),
        }
    }

    /// With the length in front.
    pub async fn write(&self, stream: &mut (impl tokio::io::AsyncWrite + Unpin)) {
        let mut infos = vec![0, 0, STRING_HEADERS];
        infos.extend((self.headers.len() as u16).to_be_bytes());
        for text in self.headers.iter().flat_map(|(key, value)| [key, value]) {
            infos.extend(short(text));
        }
        infos.push(INTEGER_HEADERS);
        infos.extend((self.integers.len() as u16).to_be_bytes());
        for (key, text) in &self.integers {
            infos.extend(key.to_be_bytes());
            infos.extend(short(text));
        }
        infos.resize(infos.len().next_multiple_of(4), 0);
        let mut payload = vec![0x80, 1, 0, self.kind];
        payload.extend((self.method.len() as u32).to_be_bytes());
        payload.extend(self.method.as_bytes());
        payload.extend(self.sequence.to_be_bytes());
        payload.extend(&self.body);

        let mut bytes = MAGIC.to_be_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(((infos.len() / 4) as u16).to_be_bytes());
        bytes.extend(infos);
        bytes.extend((payload.len() as u32).to_be_bytes());
        bytes.extend(payload);
        stream.write_u32(bytes.len() as u32).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        stream.flush().await.unwrap();
    }
}

fn short(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn short_text(&mut self) -> String {
        let length = self.u16();
        String::from_utf8_lossy(self.take(length.into())).into_owned()
    }
}
