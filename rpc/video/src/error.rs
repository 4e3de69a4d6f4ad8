//! [`VideoError`]: why a call was refused or failed, and the outcome that the caller learns. Causes are logged here, once.

use dal::{DalError, idempotency::First};
use idl::{
    base::{Code, Reason},
    biz, biz_because,
};
use service::RpcError;
use storage::StorageError;
use volo_thrift::ServerError;

use crate::{
    media::{MediaError, Refusal},
    saga::StepError,
};

/// Why a call was refused or failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VideoError {
    /// Unknown, published already, being removed, or another author's: all look the same from outside.
    #[error("object_key: no upload of yours that can be published")]
    NoSuchUpload,
    #[error("object_key: the upload is too old")]
    UploadTooOld,
    #[error("size_bytes: the object has another size")]
    OtherSize,
    #[error(transparent)]
    NotAVideo(Refusal),
    #[error(transparent)]
    Media(MediaError),
    #[error(transparent)]
    Dal(#[from] DalError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("{0}: took too long")]
    TimedOut(&'static str),
    #[error("no such video")]
    NoSuchVideo,
    #[error("another author's video")]
    NotYours,
    /// This service was made without what it takes.
    #[error("videos can't be deleted here")]
    NoDeletions,
    /// Another service failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// So many videos of the author aren't ready.
    #[error("{0} of your videos are not ready yet or have failed: wait, or delete some")]
    TooManyUnfinished(u64),
    /// Ends the saga, but isn't a failure for the caller: a request with the same idempotency key was answered before.
    #[error("published before, with the same idempotency key")]
    AlreadyPublished(First),
}

impl From<Refusal> for VideoError {
    fn from(refusal: Refusal) -> Self {
        Self::NotAVideo(refusal)
    }
}

impl From<MediaError> for VideoError {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::Refused(refusal) => Self::NotAVideo(refusal),
            MediaError::Storage(error) => Self::Storage(error),
            ours => Self::Media(ours),
        }
    }
}

impl StepError for VideoError {
    fn timed_out(name: &'static str) -> Self {
        Self::TimedOut(name)
    }

    fn is_unknown(&self) -> bool {
        matches!(
            self,
            Self::TimedOut(_)
                | Self::Dal(DalError::TimedOut | DalError::Unavailable(_))
                | Self::Storage(StorageError::Unavailable { .. })
        )
    }
}

impl VideoError {
    /// The outcome that the caller learns. The cause of a failure is logged here or by what this calls, once.
    fn outcome(self) -> ServerError {
        let (code, (reason, limit)) = match &self {
            Self::NoSuchVideo => return biz(Code::NO_SUCH_VIDEO, "").into(),
            Self::NotYours => return biz(Code::NOT_YOURS, "").into(),
            Self::Rpc(_) | Self::NoDeletions => return service::unavailable(&self),
            Self::NoSuchUpload => (Code::BAD_PARAMETER, (Reason::NO_SUCH_UPLOAD, None)),
            Self::OtherSize => (Code::BAD_PARAMETER, (Reason::OTHER_SIZE, None)),
            Self::TooManyUnfinished(max) => (
                Code::TOO_MANY_REQUESTS,
                (Reason::TOO_MANY_UNFINISHED, Some(*max)),
            ),
            Self::NotAVideo(refusal) => (Code::NOT_A_VIDEO, refusal.reason()),
            // Whoever sends so slowly has done nothing wrong, and may try again.
            Self::UploadTooOld | Self::TimedOut(_) => return service::timed_out(&self),
            Self::Storage(StorageError::Unavailable { .. })
            | Self::Media(
                MediaError::Unavailable(_)
                | MediaError::Busy
                | MediaError::DiskFull(_)
                | MediaError::Killed(_),
            ) => {
                return service::unavailable(&self);
            }
            Self::Storage(_) | Self::Media(_) | Self::AlreadyPublished(_) => {
                return service::internal(&self);
            }
            Self::Dal(error) => return rpc_server::to_server_error(error.clone()),
        };
        tracing::info!(code = code.inner(), error = %self, "refused");
        biz_because(code, reason, limit, self.to_string()).into()
    }
}

/// Turns a result into what the caller is told: of our own failures only the code.
pub(crate) trait Answer<T> {
    fn answer(self) -> Result<T, ServerError>;
}

impl<T> Answer<T> for Result<T, VideoError> {
    fn answer(self) -> Result<T, ServerError> {
        self.map_err(VideoError::outcome)
    }
}

impl Refusal {
    /// The reason as the interface has it, and the limit that the file passed.
    fn reason(self) -> (Reason, Option<u64>) {
        match self {
            Self::UnknownFormat => (Reason::UNKNOWN_FORMAT, None),
            Self::CutShort => (Reason::CUT_SHORT, None),
            Self::Damaged => (Reason::DAMAGED, None),
            Self::Photo => (Reason::PHOTO, None),
            Self::Encrypted => (Reason::ENCRYPTED, None),
            Self::NoVideoStream => (Reason::NO_VIDEO_STREAM, None),
            Self::StillPicture => (Reason::STILL_PICTURE, None),
            Self::NoDuration => (Reason::NO_DURATION, None),
            Self::TooLong(seconds) => (Reason::TOO_LONG, Some(seconds)),
            Self::TooManyPixels(pixels) => (Reason::TOO_MANY_PIXELS, Some(pixels)),
            Self::TooManyStreams(streams) => (Reason::TOO_MANY_STREAMS, Some(streams as u64)),
            Self::Undecodable => (Reason::UNDECODABLE, None),
            Self::TooSlow => (Reason::TOO_SLOW, None),
            Self::TooBig => (Reason::TOO_BIG, None),
        }
    }
}
