//! The codec of servers: TTHeader, framed, binary, for callers of whom nothing is known yet.
//!
//! volo's own allocates what a message declares, and reads messages without a frame, which have no length to compare with. Whoever sends
//! what no client of ours or Kitex's sends loses the connection.

use std::io;

use pilota::thrift::{
    ProtocolException, ProtocolExceptionKind, ThriftException, new_protocol_exception,
};
use tokio::io::AsyncRead;
use volo::util::buf_reader::BufReader;
use volo_thrift::{
    Bytes, EntryMessage, ThriftMessage,
    codec::{
        DefaultMakeCodec,
        default::{
            MakeZeroCopyCodec, ZeroCopyDecoder,
            framed::MakeFramedCodec,
            thrift::MakeThriftCodec,
            ttheader::{self, MakeTTHeaderCodec},
        },
    },
    context::ThriftContext,
};

use super::tt_header;

/// The longest message without its headers, in bytes: `add_picture` has a picture of up to 8 MiB, by its rule, and little else.
const MAX_FRAME: i32 = 9 << 20;
/// What the headers take at most: as many words as 16 bits count, and the length of the frame.
const MAX_HEADERS: u32 = tt_header::FIXED as u32 + 4 * u16::MAX as u32 + 4;
/// A message with TTHeader holds one frame.
const MAX_WITH_HEADERS: u32 = MAX_FRAME as u32 + MAX_HEADERS;
/// How a message of the binary protocol begins: its version.
const BINARY: [u8; 2] = [0x80, 1];
/// Types of messages that ask for something.
const CALL: u8 = 1;
const ONE_WAY: u8 = 4;

type Framed = MakeTTHeaderCodec<MakeFramedCodec<MakeCallCodec>>;

pub(super) fn make_server_codec() -> DefaultMakeCodec<MakeGuardedCodec> {
    let framed = MakeFramedCodec::new(MakeCallCodec(MakeThriftCodec::default()));
    let framed = framed.with_max_frame_size(MAX_FRAME);
    DefaultMakeCodec::new(MakeGuardedCodec(MakeTTHeaderCodec::new(framed)))
}

/// The outermost.
#[derive(Clone)]
pub(super) struct MakeGuardedCodec(Framed);

impl MakeZeroCopyCodec for MakeGuardedCodec {
    type Encoder = <Framed as MakeZeroCopyCodec>::Encoder;
    type Decoder = GuardedDecoder<<Framed as MakeZeroCopyCodec>::Decoder>;

    fn make_codec(&self) -> (Self::Encoder, Self::Decoder) {
        let (encoder, decoder) = self.0.make_codec();
        (encoder, GuardedDecoder(decoder))
    }
}

/// Refuses a message by its first bytes, before anything is allocated for it.
pub(super) struct GuardedDecoder<D>(D);

impl<D: ZeroCopyDecoder> ZeroCopyDecoder for GuardedDecoder<D> {
    fn decode<Msg: Send + EntryMessage, Cx: ThriftContext>(
        &mut self,
        cx: &mut Cx,
        bytes: &mut Bytes,
    ) -> Result<Option<ThriftMessage<Msg>>, ThriftException> {
        self.0.decode(cx, bytes)
    }

    async fn decode_async<
        Msg: Send + EntryMessage,
        Cx: ThriftContext,
        R: AsyncRead + Unpin + Send + Sync,
    >(
        &mut self,
        cx: &mut Cx,
        reader: &mut BufReader<R>,
    ) -> Result<Option<ThriftMessage<Msg>>, ThriftException> {
        match peek(reader).await? {
            Ok(()) => {}
            Err(reason) => return Err(refuse(cx, reason)),
        }
        let message = self.0.decode_async(cx, reader).await;
        message.map_err(|error| match error {
            ThriftException::Protocol(error) if !is_mistake(&error) => refuse(cx, error.message()),
            error => error,
        })
    }
}

/// Whether a message is what an honest caller with another .thrift file could send. It is told so by an exception.
fn is_mistake(error: &ProtocolException) -> bool {
    matches!(error.kind(), ProtocolExceptionKind::InvalidData)
}

/// Checks what comes before the frame, and consumes nothing.
async fn peek<R: AsyncRead + Unpin>(
    reader: &mut BufReader<R>,
) -> io::Result<Result<(), &'static str>> {
    let head = reader
        .fill_buf_at_least(ttheader::HEADER_DETECT_LENGTH)
        .await?;
    let Some((length, kind)) = head.split_first_chunk() else {
        return Ok(Err("no message"));
    };
    if kind.starts_with(&BINARY) {
        // The length of a frame is checked where it is read.
        return Ok(Ok(()));
    }
    if !kind.starts_with(&ttheader::TT_HEADER_MAGIC.to_be_bytes()) {
        return Ok(Err("neither TTHeader nor a frame of the binary protocol"));
    }
    let length = u32::from_be_bytes(*length);
    if length > MAX_WITH_HEADERS {
        return Ok(Err("a message that is too long"));
    }
    let unreadable = "a TTHeader that can't be read";
    // Nothing is waited for that doesn't belong to this message.
    if (length as usize + 4) < tt_header::FIXED {
        return Ok(Err(unreadable));
    }
    let Some(length) = tt_header::length(reader.fill_buf_at_least(tt_header::FIXED).await?) else {
        return Ok(Err(unreadable));
    };
    let head = reader.fill_buf_at_least(length).await?;
    let is_readable = head.get(..length).is_some_and(tt_header::is_readable);
    Ok(is_readable.then_some(()).ok_or(unreadable))
}

/// Logs what is refused. The error closes the connection without an answer, and volo doesn't log it.
fn refuse<Cx: ThriftContext>(cx: &Cx, reason: &str) -> ThriftException {
    let from = cx.rpc_info().caller().address();
    let from = from.map(|from| from.to_string());
    tracing::warn!(from, reason, "connection closed: no call");
    io::Error::from(io::ErrorKind::ConnectionAborted).into()
}

/// The innermost, within the frame.
#[derive(Clone)]
pub(super) struct MakeCallCodec(MakeThriftCodec);

impl MakeZeroCopyCodec for MakeCallCodec {
    type Encoder = <MakeThriftCodec as MakeZeroCopyCodec>::Encoder;
    type Decoder = CallDecoder<<MakeThriftCodec as MakeZeroCopyCodec>::Decoder>;

    fn make_codec(&self) -> (Self::Encoder, Self::Decoder) {
        let (encoder, decoder) = self.0.make_codec();
        (encoder, CallDecoder(decoder))
    }
}

/// Reads nothing but calls of the binary protocol: of the others the lengths aren't checked.
pub(super) struct CallDecoder<D>(D);

impl<D: ZeroCopyDecoder> ZeroCopyDecoder for CallDecoder<D> {
    fn decode<Msg: Send + EntryMessage, Cx: ThriftContext>(
        &mut self,
        cx: &mut Cx,
        bytes: &mut Bytes,
    ) -> Result<Option<ThriftMessage<Msg>>, ThriftException> {
        if !is_call(bytes) {
            return Err(no_call());
        }
        self.0.decode(cx, bytes)
    }

    async fn decode_async<
        Msg: Send + EntryMessage,
        Cx: ThriftContext,
        R: AsyncRead + Unpin + Send + Sync,
    >(
        &mut self,
        _: &mut Cx,
        _: &mut BufReader<R>,
    ) -> Result<Option<ThriftMessage<Msg>>, ThriftException> {
        Err(no_call())
    }
}

fn no_call() -> ThriftException {
    new_protocol_exception(
        ProtocolExceptionKind::BadVersion,
        "no call of the binary protocol",
    )
}

/// Whether a message begins as a call does, and the name of its method is all there, in UTF-8.
fn is_call(message: &[u8]) -> bool {
    let Some(([first, second, _, kind], rest)) = message.split_first_chunk() else {
        return false;
    };
    let Some((length, rest)) = rest.split_first_chunk() else {
        return false;
    };
    let method = rest.get(..u32::from_be_bytes(*length) as usize);
    [*first, *second] == BINARY
        && [CALL, ONE_WAY].contains(kind)
        && method.is_some_and(|method| std::str::from_utf8(method).is_ok())
}
