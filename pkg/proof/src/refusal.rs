//! The reasons why a proof is refused, in the words that the caller gets.

/// Why a proof is refused, in words for the developer of the caller. They tell nothing of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It doesn't have the form of a proof.
    #[error(
        "the proof can't be read: it is written 1.TIME.NONCE.HMAC, with the time in ms and 16 and 64 hexadecimal digits"
    )]
    Unreadable,
    /// The clocks differ too much, or an old proof is replayed.
    #[error(
        "the proof is of another time: 5 minutes are allowed between the clocks of caller and service"
    )]
    AnotherTime,
    /// It was made for another call, or with another secret.
    #[error(
        "the proof doesn't fit: it was made with another rpc.secret, or for another service, address, method or caller"
    )]
    Unfit,
    /// The proof was used before: a replay.
    #[error("the proof was used before: each attempt needs a new nonce")]
    Used,
}
