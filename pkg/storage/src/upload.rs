//! Multipart uploads: a stream of unknown length is sent in parts, in constant memory.
//!
//! The library's own upload hides the upload id, has no time limit and keeps slices of network buffers alive. This one copies each part
//! into one buffer, and sends it before it reads the next: one part in memory, whatever the length. Meanwhile the system's receive buffer
//! takes what the client sends.

use std::{
    mem,
    pin::{Pin, pin},
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream::Fuse};
use minio::s3::{
    response_traits::{HasEtagFromHeaders, HasS3Fields},
    segmented_bytes::SegmentedBytes,
    types::{PartInfo, S3Api},
};
use xmltree::Element;

use crate::{
    SendError, StorageError, Store,
    call::{BULK, ONCE, PART, QUICK, call},
};

/// S3's limit.
const MAX_PARTS: u16 = 10_000;

impl Store {
    /// Begins a multipart upload and returns its id. The object appears under `key` only when [`Self::send_parts`] has succeeded. Otherwise
    /// call [`Self::abort_multipart`]: so save key and id first.
    pub async fn begin_multipart(
        &self,
        key: &str,
        content_type: &str,
    ) -> Result<String, StorageError> {
        // Not retried: an attempt whose answer was lost would leave an upload with an unknown id.
        let upload_id = call("begin upload", ONCE, async || {
            let answer = self
                .client()
                .create_multipart_upload(self.bucket(), key)?
                .content_type(content_type.to_owned())
                .build()
                .send()
                .await?;
            Ok(answer.upload_id().await?)
        });
        Ok(upload_id.await?.into_inner())
    }

    /// Sends `first` and then `stream` in parts of `part_bytes` (at least 5 MiB, by S3's rule) and completes the upload. A `first` of a whole
    /// part isn't copied.
    /// Gives the number of bytes. Empty chunks are skipped.
    ///
    /// After an error the upload stays open, and the caller must abort it. No part is in flight when this returns (unless a part timed
    /// out), so an abort leaves nothing behind. That doesn't hold when the future is dropped: run it in a task of its own.
    pub async fn send_parts<S, E>(
        &self,
        key: &str,
        upload_id: &str,
        first: Option<Bytes>,
        stream: S,
        part_bytes: usize,
    ) -> Result<u64, SendError<E>>
    where
        S: Stream<Item = Result<Bytes, E>>,
    {
        let mut parts = Parts {
            stream: pin!(stream.fuse()),
            rest: first.unwrap_or_default(),
            part_bytes,
            buffer: BytesMut::new(),
        };
        let mut part = parts.next().await.map_err(SendError::Source)?;
        if part.is_empty() {
            return Err(SendError::Empty);
        }
        let mut sent: Vec<PartInfo> = Vec::new();
        while !part.is_empty() {
            let number = u16::try_from(sent.len() + 1).unwrap_or(u16::MAX);
            if number > MAX_PARTS {
                return Err(StorageError::refused("send part", "more than 10000 parts").into());
            }
            sent.push(self.send_part(key, upload_id, number, part.clone()).await?);
            parts.buffer = part.try_into_mut().unwrap_or_default();
            part = parts.next().await.map_err(SendError::Source)?;
        }
        Ok(self.complete(key, upload_id, sent).await?)
    }

    /// Aborts an open upload and deletes its parts. A missing upload is no error; a completed one stays.
    pub async fn abort_multipart(&self, key: &str, upload_id: &str) -> Result<(), StorageError> {
        let aborted = call("abort upload", QUICK, async || {
            self.client()
                .abort_multipart_upload(self.bucket(), key, upload_id)?
                .build()
                .send()
                .await
        });
        match aborted.await {
            Ok(_) | Err(StorageError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn send_part(
        &self,
        key: &str,
        upload_id: &str,
        number: u16,
        part: Bytes,
    ) -> Result<PartInfo, StorageError> {
        let size = part.len() as u64;
        let etag = call("send part", PART, async || {
            let content = SegmentedBytes::from(part.clone());
            let answer = self
                .client()
                .upload_part(self.bucket(), key, upload_id, number, content)?
                .build()
                .send()
                .await?;
            Ok(answer.etag()?)
        });
        Ok(PartInfo::new(number, etag.await?, size, None))
    }

    async fn complete(
        &self,
        key: &str,
        upload_id: &str,
        parts: Vec<PartInfo>,
    ) -> Result<u64, StorageError> {
        const OPERATION: &str = "complete upload";
        let size = parts.iter().map(|part| part.size).sum();
        let answer = call(OPERATION, BULK, async || {
            self.client()
                .complete_multipart_upload(self.bucket(), key, upload_id, parts.clone())?
                .build()
                .send()
                .await
        });
        match answer.await {
            // S3 may answer 200 first and report a failure in the body.
            Ok(answer) => match Element::parse(answer.body().as_ref()) {
                Ok(root) if root.name != "Error" => Ok(size),
                _ => Err(StorageError::unavailable(OPERATION, "failed half-way")),
            },
            // An earlier attempt completed it, and its answer was lost.
            Err(StorageError::NotFound { operation }) => match self.stat(key).await? {
                Some(stat) if stat.size_bytes == size => Ok(size),
                _ => Err(StorageError::NotFound { operation }),
            },
            Err(error) => Err(error),
        }
    }
}

/// Cuts a stream of chunks into parts.
struct Parts<S> {
    stream: S,
    /// The rest of the last chunk.
    rest: Bytes,
    part_bytes: usize,
    /// The buffer of the last part, which is reused: the allocator would keep several otherwise.
    buffer: BytesMut,
}

impl<S, E> Parts<Pin<&mut Fuse<S>>>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    /// The next part, full unless it is the last one; empty at the end.
    async fn next(&mut self) -> Result<Bytes, E> {
        // The first part comes whole, in a buffer of its own: a copy would take as much memory again.
        if self.rest.len() == self.part_bytes {
            return Ok(mem::take(&mut self.rest));
        }
        let mut part = mem::take(&mut self.buffer);
        part.clear();
        part.reserve(self.part_bytes);
        loop {
            let room = self.part_bytes - part.len();
            // A copy, since a slice would keep the whole buffer that it was read into.
            part.extend_from_slice(&self.rest.split_to(room.min(self.rest.len())));
            if part.len() == self.part_bytes {
                break;
            }
            match self.stream.next().await {
                Some(chunk) => self.rest = chunk?,
                None => break,
            }
        }
        Ok(part.freeze())
    }
}
