//! Why an object is no video that can be published, or couldn't be examined.

use storage::StorageError;

/// Why an object can't be published; in words for the uploader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither MP4, QuickTime, WebM nor Matroska.
    #[error("the format is unknown or not accepted")]
    UnknownFormat,
    /// Data that the container announces is missing.
    #[error("the file is cut short")]
    CutShort,
    /// The container contradicts itself.
    #[error("the file is damaged")]
    Damaged,
    /// A photo, still or moving: HEIC, HEIF or AVIF.
    #[error("the file is a photo (HEIC or AVIF), not a video")]
    Photo,
    /// It can only be read with a key.
    #[error("the video is encrypted")]
    Encrypted,
    /// Sound, subtitles or data only.
    #[error("the file has no video stream")]
    NoVideoStream,
    /// The only picture is one attached to sound.
    #[error("the file is a still picture")]
    StillPicture,
    /// A duration of zero, or none.
    #[error("the video has no duration")]
    NoDuration,
    /// It plays for longer than the limit, in seconds.
    #[error("the video is longer than {0} s")]
    TooLong(u64),
    /// A picture has more pixels than the limit.
    #[error("the video has more than {0} pixels")]
    TooManyPixels(u64),
    /// More streams than the limit.
    #[error("the file has more than {0} streams")]
    TooManyStreams(usize),
    /// No picture of it could be decoded.
    #[error("no picture of the video can be decoded")]
    Undecodable,
    /// Reading it took longer than the limit.
    #[error("reading the file takes too long")]
    TooSlow,
    /// It needs more memory or scratch space, or its description is longer, than the limit.
    #[error("the file takes too much memory or disk space")]
    TooBig,
}

/// Why an object was refused or could not be examined.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The file is to blame.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The object store's answer to our own request.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The object store can't be read by the programs; says how, without the address.
    #[error("object store: {0}")]
    Unavailable(String),
    /// There is no room for a scratch file; says where.
    #[error("no room for scratch files: {0}")]
    DiskFull(String),
    /// Too many probes and covers are waiting.
    #[error("no free slot for ffmpeg")]
    Busy,
    /// The system killed ffprobe or ffmpeg, for example because memory ran out; says which.
    #[error("{0} was killed")]
    Killed(String),
    /// ffprobe or ffmpeg can't be run or answers nonsense: ours to mend.
    #[error("{0}")]
    Tool(String),
}
