//! A body that ends with a refusal when its upload is evicted, or hasn't come whole by its deadline.
//!
//! The refusal comes as an error of the stream. So whoever stores the body ends in order, with no part in flight.

use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt as _, Stream, StreamExt as _};
use idl::base::Code;
use tokio::time::{Instant, sleep_until};

use super::slots::SlotClaim;
use crate::error::ApiError;

/// `body` until `claim` is evicted or the deadline is over. What comes is counted for the claim. A body that has come whole is not
/// refused, however long the store took with it.
///
/// A deadline that is missed is the client's fault if more than half of the time went by in waiting for it, and otherwise that of the
/// object store: 408 or 503.
pub fn interruptible<S>(
    body: S,
    claim: Arc<SlotClaim>,
    deadline: Instant,
) -> impl Stream<Item = Result<Bytes, ApiError>> + Send
where
    S: Stream<Item = Result<Bytes, ApiError>> + Send + Unpin,
{
    let begun = Instant::now();
    let begin = Some((body, claim, Box::pin(sleep_until(deadline))));
    futures::stream::unfold(begin, move |state| async move {
        let (mut body, claim, mut deadline) = state?;
        let next = tokio::select! {
            next = claim.receive(&mut body) => next,
            () = claim.evicted() => {
                refusal(&mut body, ApiError::new(Code::TOO_MANY_REQUESTS))
            }
            () = &mut deadline => {
                let is_clients_fault = 2 * claim.waited() > begun.elapsed();
                refusal(&mut body, match is_clients_fault {
                    true => ApiError::request_timeout(),
                    false => ApiError::new(Code::UNAVAILABLE),
                })
            }
        };
        match next? {
            Ok(chunk) => Some((Ok(chunk), Some((body, claim, deadline)))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .fuse()
}

/// `body`, whose bytes and waits are counted for `claim`.
pub fn counted<S>(
    body: S,
    claim: Arc<SlotClaim>,
) -> impl Stream<Item = Result<Bytes, ApiError>> + Send
where
    S: Stream<Item = Result<Bytes, ApiError>> + Send + Unpin,
{
    futures::stream::unfold((body, claim), async |(mut body, claim)| {
        let next = claim.receive(&mut body).await?;
        Some((next, (body, claim)))
    })
}

/// `error`, unless the body is over.
fn refusal<S>(body: &mut S, error: ApiError) -> Option<Result<Bytes, ApiError>>
where
    S: Stream<Item = Result<Bytes, ApiError>> + Unpin,
{
    match body.next().now_or_never() {
        Some(None) => None,
        _ => Some(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::stream;

    use super::*;
    use crate::upload::slots::Slots;

    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn what_is_whole_passes_and_what_takes_too_long_ends_with_a_refusal() {
        let chunks = || stream::iter([Ok(Bytes::from_static(b"some"))]);
        let claim = Arc::new(SlotClaim::default());
        let body = interruptible(chunks(), claim.clone(), Instant::now() + LONG);
        let read: Vec<_> = body.map(Result::unwrap).collect().await;
        assert_eq!(read, ["some"]);

        let unending = chunks().chain(stream::pending());
        let soon = Instant::now() + Duration::from_millis(50);
        let body = interruptible(unending, claim, soon);
        let read: Vec<_> = body.collect().await;
        let error = read.last().unwrap().as_ref().unwrap_err();
        assert_eq!(error.http_status(), 408);
    }

    #[tokio::test]
    async fn a_deadline_that_is_missed_for_the_store_is_no_fault_of_the_client() {
        let soon = Instant::now() + Duration::from_millis(50);
        let chunks = stream::iter([Ok(Bytes::from_static(b"some"))]).chain(stream::pending());
        let mut body = Box::pin(interruptible(chunks, Arc::default(), soon));
        assert!(body.next().await.unwrap().is_ok());
        // The store takes its time.
        tokio::time::sleep_until(soon + Duration::from_millis(50)).await;
        let error = body.next().await.unwrap().unwrap_err();
        assert_eq!(error.http_status(), 503);
    }

    #[tokio::test]
    async fn what_has_come_whole_is_not_refused_because_the_store_took_long() {
        for _ in 0..50 {
            let chunks = stream::iter([Ok(Bytes::from_static(b"some"))]);
            let claim = Arc::new(SlotClaim::default());
            let mut body = Box::pin(interruptible(chunks, claim, Instant::now()));
            // Either of the two may be seen first.
            match body.next().await.unwrap() {
                Ok(_) => assert!(body.next().await.is_none()),
                Err(error) => assert_eq!(error.http_status(), 408),
            }
        }
    }

    #[tokio::test]
    async fn an_evicted_upload_ends_with_a_refusal_that_says_so() {
        let slots = Slots::new("test", 2, 2, 1);
        let [claim, other, newcomer] = [(); 3].map(|()| Arc::new(SlotClaim::default()));
        let slot = slots.take(1, &claim).await.unwrap();
        let _other_slot = slots.take(1, &other).await.unwrap();
        let body = stream::pending::<Result<Bytes, ApiError>>();
        let body = interruptible(body, claim, Instant::now() + LONG);
        let evicted = async {
            let read: Vec<_> = body.collect().await;
            drop(slot);
            read
        };
        let (taken, read) = tokio::join!(slots.take(2, &newcomer), evicted);
        assert!(taken.is_ok());
        let [Err(error)] = &read[..] else {
            panic!("{read:?}");
        };
        assert_eq!(error.code(), Code::TOO_MANY_REQUESTS);
    }
}
