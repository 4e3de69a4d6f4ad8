//! A video as the interface has it, with URLs that viewers can fetch.

use dal::videos::{State, Video};
use idl::video::{self as api, Rendition, VideoState};

use crate::{VideoService, error::VideoError, object_key};

impl VideoService {
    pub(crate) fn to_api(&self, video: Video) -> Result<api::Video, VideoError> {
        let state = match video.state() {
            State::Ready => VideoState::READY,
            State::Processing => VideoState::PROCESSING,
            State::Failed => VideoState::FAILED,
        };
        let play_url = self.store.play_url(&video.object_key)?;
        let small_cover = match video.has_small_cover {
            true => object_key::small_cover(&video.cover_key),
            false => None,
        };
        let small_cover_url = small_cover
            .map(|key| self.store.play_url(&key))
            .transpose()?;
        let small = match video.small_height {
            0 => None,
            _ => object_key::small(&video.object_key),
        };
        let small_url = small.map(|key| self.store.play_url(&key)).transpose()?;
        let renditions = small_url.map(|url| {
            let rendition = |height, bit_rate, url: &str| Rendition {
                height,
                bit_rate,
                url: url.to_owned().into(),
            };
            vec![
                rendition(video.height, video.bit_rate, &play_url),
                rendition(video.small_height, video.small_bit_rate, &url),
            ]
        });
        Ok(api::Video {
            id: video.id,
            author_id: video.author_id,
            title: video.title.into(),
            play_url: play_url.into(),
            cover_url: self.store.play_url(&video.cover_key)?.into(),
            published_ms: video.published_ms,
            favorite_count: video.favorite_count,
            comment_count: video.comment_count,
            state: Some(state),
            progress: Some(video.progress.into()),
            reason: (!video.reason.is_empty()).then(|| video.reason.into()),
            small_cover_url: small_cover_url.map(Into::into),
            width: Some(video.width),
            height: Some(video.height),
            duration_ms: Some(video.duration_ms),
            renditions,
            created_ms: Some(video.created_ms),
        })
    }
}
