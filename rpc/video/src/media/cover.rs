//! The cover: one picture of the video as JPEG, at most 720 pixels wide.

use std::time::{Duration, Instant};

use super::{Media, MediaError, Probe, Refusal};

/// No JPEG of this width is larger, unless it is absurdly high.
const OUTPUT_BYTES: u64 = 8 << 20;
/// Scales down only; MJPEG's chroma needs an even height.
const FILTER: &str = "scale=w='min(720,iw)':h=-2,format=yuvj420p";
/// A second in, past a fade from black; a third into anything shorter.
const LATEST: Duration = Duration::from_secs(1);

impl Media {
    /// Takes a picture from the video at `url`, which must be good for [`Media::cover_url_life`]. Answers the JPEG's bytes.
    pub async fn cover(&self, url: &str, video: &Probe) -> Result<Vec<u8>, MediaError> {
        let _slot = self.slot().await?;
        let begun = Instant::now();
        let at = LATEST.min(Duration::from_millis(video.duration_ms) / 3);
        match self.picture(url, at, self.cover_limit).await {
            // No picture there, as in a file whose pictures end before its sound: take the first one.
            Err(MediaError::Refused(Refusal::Undecodable)) => {
                let left = self.cover_limit.saturating_sub(begun.elapsed());
                self.picture(url, Duration::ZERO, left).await
            }
            answered => answered,
        }
    }

    async fn picture(
        &self,
        url: &str,
        at: Duration,
        limit: Duration,
    ) -> Result<Vec<u8>, MediaError> {
        let at = format!("{:.3}", at.as_secs_f64());
        let stall_limit_us = Self::stall_limit_us(self.cover_limit);
        let mut arguments = vec!["-hide_banner", "-nostdin", "-v", "error"];
        arguments.extend(self.input_arguments(&stall_limit_us));
        arguments.extend(["-ss", &at, "-i", url]);
        // A capital V leaves out attached pictures.
        arguments.extend("-map 0:V:0 -frames:v 1 -vf".split(' ').chain([FILTER]));
        arguments.extend("-threads 1 -c:v mjpeg -q:v 4 -f image2pipe -".split(' '));
        let output = self.run("ffmpeg", &arguments, limit, OUTPUT_BYTES).await?;
        if output.transport_failed() {
            return Err(MediaError::Unavailable(
                "broke off while the cover was taken".to_owned(),
            ));
        }
        if output.out_of_memory() {
            return Err(Refusal::TooBig.into());
        }
        output
            .succeeded()
            .ok()
            .filter(|jpeg| !jpeg.is_empty())
            .ok_or(Refusal::Undecodable.into())
    }
}
