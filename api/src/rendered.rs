//! A page that many are shown: rendered once, and compressed once in each language.

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use idl::{base::Code, proto::Message};
use marks::Consistency;
use serde::Serialize;
use volo_http::response::Response;

use crate::{
    error::ApiError,
    i18n::Language,
    middleware::MIN_COMPRESSED,
    response::{Negotiated, protobuf, rendered, success_body, success_message},
};

/// A page as everybody is shown it, without anybody's likes.
pub struct Page<T> {
    /// What is on it.
    pub content: T,
    rendered: Rendered,
}

impl<T: Serialize> Page<T> {
    /// Renders `content`.
    pub fn new(content: T) -> Arc<Self> {
        let rendered = Rendered::new(&content);
        Arc::new(Self { content, rendered })
    }

    /// The reply with it, made once for all of a language.
    pub fn reply(&self, negotiated: &Negotiated) -> Response {
        if let Some(message) = negotiated.message {
            return protobuf(self.message(message, negotiated.language));
        }
        let (body, is_gzip) = self
            .rendered
            .body(negotiated.language, negotiated.accepts_gzip);
        rendered(body, is_gzip)
    }

    fn message(&self, message: &'static Message, language: Language) -> Bytes {
        let [english, chinese] = &self.rendered.protobuf;
        let body = match language {
            Language::English => english,
            Language::Chinese => chinese,
        };
        let write = || success_message(&self.content, message, language);
        let (of, body) = body.get_or_init(|| (message.name, write()));
        match *of == message.name {
            true => body.clone(),
            // A page is of one route, as a rule.
            false => write(),
        }
    }
}

/// What the two reads of a shared page came to; one that nobody asked for is missing.
pub struct MarkedReads<T> {
    /// For the viewers who have written nothing.
    pub unmarked: Option<T>,
    /// For the viewers who have.
    pub marked: Option<T>,
    /// What each viewer must see.
    pub consistency: HashMap<i64, Consistency>,
}

/// A shared page, rendered for those who have just written something and for all others. Where one of the two reads failed, the others
/// have their page.
pub struct SharedPage<T>(MarkedReads<Result<Arc<Page<T>>, ApiError>>);

impl<T: Serialize> SharedPage<T> {
    /// Renders what was read.
    pub fn render(read: MarkedReads<Result<T, ApiError>>) -> Arc<Self> {
        let page =
            |content: Option<Result<T, ApiError>>| content.map(|content| content.map(Page::new));
        Arc::new(Self(MarkedReads {
            unmarked: page(read.unmarked),
            marked: page(read.marked),
            consistency: read.consistency,
        }))
    }

    /// The page of a viewer who joined the flight, and what they must see.
    ///
    /// # Errors
    /// They didn't join it, or the read for them failed.
    pub fn of(&self, viewer: i64) -> Result<(Arc<Page<T>>, Consistency), ApiError> {
        let MarkedReads {
            unmarked,
            marked,
            consistency,
        } = &self.0;
        let own = consistency.get(&viewer).and_then(|consistency| {
            let page = if consistency.is_marked() {
                marked
            } else {
                unmarked
            };
            Some((page.clone()?, consistency.clone()))
        });
        let (page, consistency) = own.ok_or_else(|| ApiError::new(Code::INTERNAL))?;
        Ok((page?, consistency))
    }
}

/// The bodies of a reply, each made when it is first asked for.
#[derive(Default)]
struct Rendered {
    /// The content as JSON.
    content: Vec<u8>,
    plain: [OnceLock<Bytes>; 2],
    gzip: [OnceLock<Option<Bytes>>; 2],
    /// With the name of the message.
    protobuf: [OnceLock<(&'static str, Bytes)>; 2],
}

impl Rendered {
    fn new<T: Serialize>(content: &T) -> Self {
        Self {
            // The reply types hold nothing that JSON can't.
            content: serde_json::to_vec(content).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The body, and whether it is compressed.
    fn body(&self, language: Language, accepts_gzip: bool) -> (Bytes, bool) {
        let ([english, chinese], [english_gzip, chinese_gzip]) = (&self.plain, &self.gzip);
        let (plain, gzipped) = match language {
            Language::English => (english, english_gzip),
            Language::Chinese => (chinese, chinese_gzip),
        };
        let plain = plain.get_or_init(|| success_body(&self.content, language));
        if accepts_gzip && plain.len() >= usize::from(MIN_COMPRESSED) {
            let gzipped = gzipped.get_or_init(|| gzip(plain).ok());
            if let Some(gzipped) = gzipped {
                return (gzipped.clone(), true);
            }
        }
        (plain.clone(), false)
    }
}

/// At the fastest level: a page of 30 videos takes a fraction of a millisecond, and a higher level gains little on JSON.
fn gzip(plain: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish().map(Bytes::from)
}
