//! Why a call isn't served: the words that its caller gets.

/// Why a call isn't served, in words for whoever mends the caller. They hold nothing of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It isn't written as a proof.
    #[error(
        "the proof can't be read: it is written 1.TIME.NONCE.HMAC, with the time in ms and 16 and 64 hexadecimal digits"
    )]
    Unreadable,
    /// The clocks differ too much, or somebody repeats what they have heard.
    #[error(
        "the proof is of another time: 5 minutes are allowed between the clocks of caller and service"
    )]
    AnotherTime,
    /// It isn't of this call, or not of one of us.
    #[error(
        "the proof doesn't fit: it was made with another rpc.secret, or for another service, address, method or caller"
    )]
    Unfit,
    /// Somebody repeats what they have heard.
    #[error("the proof was used before: each attempt needs a new nonce")]
    Used,
}
