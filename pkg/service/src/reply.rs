//! The codec for business errors. As Kitex does it, the error stands in the TTHeader of a reply whose result is empty.
//!
//! volo would send an exception beside those headers, and a client in Go looks no further than that. This is the encoding of both ends
//! alone: what is refused, and with which code, others decide.

use pilota::thrift::{
    TAsyncInputProtocol, TInputProtocol, TLengthProtocol, TMessageIdentifier, TOutputProtocol,
    TStructIdentifier, TType, ThriftException,
};
use tokio::io::AsyncRead;
use volo::{context::Context as _, util::buf_reader::BufReader};
use volo_thrift::{
    BizError, Bytes, EntryMessage, ServerError, ThriftMessage,
    codec::default::{
        MakeZeroCopyCodec, ZeroCopyDecoder,
        framed::MakeFramedCodec,
        thrift::MakeThriftCodec,
        ttheader::{HasTTHeader, MakeTTHeaderCodec},
    },
    context::{ServerContext, ThriftContext},
};

const EMPTY: TStructIdentifier = TStructIdentifier { name: "" };

/// What a server answers.
pub(crate) enum Reply<R> {
    /// What the handler returned.
    Result(R),
    /// No result: the headers tell why.
    Refused,
}

impl<R> Reply<R> {
    /// The answer to the call of this context.
    ///
    /// # Errors
    /// The caller has sent no TTHeader, so it can be told of the refusal by an exception alone.
    pub(crate) fn new(
        cx: &mut ServerContext,
        result: Result<R, BizError>,
    ) -> Result<Self, ServerError> {
        match result {
            Ok(result) => Ok(Self::Result(result)),
            Err(error) if cx.extensions().contains::<HasTTHeader>() => {
                cx.common_stats.set_biz_error(error);
                Ok(Self::Refused)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl<R: EntryMessage + Sync> EntryMessage for Reply<R> {
    fn encode<T: TOutputProtocol>(&self, protocol: &mut T) -> Result<(), ThriftException> {
        match self {
            Self::Result(result) => result.encode(protocol),
            Self::Refused => {
                protocol.write_struct_begin(&EMPTY)?;
                protocol.write_field_stop()?;
                protocol.write_struct_end()
            }
        }
    }

    fn decode<T: TInputProtocol>(
        protocol: &mut T,
        ident: &TMessageIdentifier,
    ) -> Result<Self, ThriftException> {
        R::decode(protocol, ident).map(Self::Result)
    }

    async fn decode_async<T: TAsyncInputProtocol>(
        protocol: &mut T,
        ident: &TMessageIdentifier,
    ) -> Result<Self, ThriftException> {
        R::decode_async(protocol, ident).await.map(Self::Result)
    }

    fn size<T: TLengthProtocol>(&self, protocol: &mut T) -> usize {
        match self {
            Self::Result(result) => result.size(protocol),
            Self::Refused => {
                protocol.struct_begin_len(&EMPTY)
                    + protocol.field_stop_len()
                    + protocol.struct_end_len()
            }
        }
    }
}

/// What a client reads: TTHeader, framed, binary, with empty results where the headers tell of a refusal.
pub(crate) type MakeClientCodec = MakeTTHeaderCodec<MakeRefusalCodec>;

pub(crate) fn make_client_codec() -> MakeClientCodec {
    MakeTTHeaderCodec::new(MakeRefusalCodec(MakeFramedCodec::new(
        MakeThriftCodec::default(),
    )))
}

type Framed = MakeFramedCodec<MakeThriftCodec>;

#[derive(Clone)]
pub(crate) struct MakeRefusalCodec(Framed);

impl MakeZeroCopyCodec for MakeRefusalCodec {
    type Encoder = <Framed as MakeZeroCopyCodec>::Encoder;
    type Decoder = RefusalDecoder<<Framed as MakeZeroCopyCodec>::Decoder>;

    fn make_codec(&self) -> (Self::Encoder, Self::Decoder) {
        let (encoder, decoder) = self.0.make_codec();
        (encoder, RefusalDecoder(decoder))
    }
}

/// Doesn't look for a result where there is none: to volo an empty one is an error of the protocol, which is logged as such and costs the
/// connection.
pub(crate) struct RefusalDecoder<D>(D);

impl<D: ZeroCopyDecoder> ZeroCopyDecoder for RefusalDecoder<D> {
    fn decode<Msg: Send + EntryMessage, Cx: ThriftContext>(
        &mut self,
        cx: &mut Cx,
        bytes: &mut Bytes,
    ) -> Result<Option<ThriftMessage<Msg>>, ThriftException> {
        // From the headers, which were read before.
        let Some(refusal) = cx.stats().biz_error().clone() else {
            return self.0.decode(cx, bytes);
        };
        let message: Option<ThriftMessage<Skipped>> = self.0.decode(cx, bytes)?;
        Ok(message.map(|message| ThriftMessage {
            // The caller gets the business error itself.
            data: Err(refusal.into()),
            meta: message.meta,
        }))
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
        // A reply without TTHeader, which can't tell of a refusal.
        self.0.decode_async(cx, reader).await
    }
}

/// A struct with whatever fields.
struct Skipped;

impl EntryMessage for Skipped {
    fn encode<T: TOutputProtocol>(&self, _: &mut T) -> Result<(), ThriftException> {
        Ok(())
    }

    fn decode<T: TInputProtocol>(
        protocol: &mut T,
        _: &TMessageIdentifier,
    ) -> Result<Self, ThriftException> {
        protocol.skip(TType::Struct).map(|_| Self)
    }

    async fn decode_async<T: TAsyncInputProtocol>(
        protocol: &mut T,
        _: &TMessageIdentifier,
    ) -> Result<Self, ThriftException> {
        protocol.skip(TType::Struct).await.map(|()| Self)
    }

    fn size<T: TLengthProtocol>(&self, _: &mut T) -> usize {
        0
    }
}
