//! A stream with timeouts: it ends when the other side is slower than the [`Activity`] of its connection allows.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    time::{Instant, Sleep, sleep_until},
};
use volo::net::ext::AsyncExt;

use super::activity::Activity;

/// A socket, or one direction of it.
pub(crate) struct TimeoutStream<S> {
    inner: S,
    activity: Arc<Activity>,
    read: Timer,
    write: Timer,
    /// Since when the other side has taken no byte of what is to be sent.
    blocked: Option<Instant>,
}

impl<S> TimeoutStream<S> {
    pub(crate) fn new(inner: S, activity: Arc<Activity>) -> Self {
        Self {
            inner,
            activity,
            read: Timer::default(),
            write: Timer::default(),
            blocked: None,
        }
    }

    /// Applies the send timeout to the result of a write.
    fn apply_send_timeout<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.blocked = None;
            return result;
        }
        let since = *self.blocked.get_or_insert_with(Instant::now);
        match self.write.poll(cx, since + self.activity.timeouts().send) {
            Poll::Ready(()) => Poll::Ready(Err(too_slow())),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// The same error as of a connection that the other side closed, so that the frameworks don't log it.
fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the other side is too slow")
}

impl<S: AsyncRead + Unpin> AsyncRead for TimeoutStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.inner).poll_read(cx, buffer);
        if result.is_ready() {
            if buffer.filled().len() > before {
                this.activity.received();
            }
            return result;
        }
        // hyper also reads while a request is handled, to notice a client that leaves, and doesn't poll again when the answer is sent. So
        // it is woken at the latest when the idle timeout that begins then may end.
        let look_again = || Instant::now() + this.activity.timeouts().idle;
        let deadline = this.activity.deadline().unwrap_or_else(look_again);
        match this.read.poll(cx, deadline) {
            // An idle connection ends as if the other side had closed it: no request is lost.
            Poll::Ready(()) if this.activity.is_idle() => Poll::Ready(Ok(())),
            Poll::Ready(()) => Poll::Ready(Err(too_slow())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimeoutStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.apply_send_timeout(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        this.apply_send_timeout(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.inner).poll_flush(cx);
        this.apply_send_timeout(cx, result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

impl AsyncExt for TimeoutStream<OwnedReadHalf> {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.inner.ready(interest).await
    }
}

impl AsyncExt for TimeoutStream<OwnedWriteHalf> {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.inner.ready(interest).await
    }
}

/// A timer that is kept between uses: resetting it is cheaper than a new one.
#[derive(Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}
