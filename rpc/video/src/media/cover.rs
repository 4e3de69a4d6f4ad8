//! The cover: one picture of the video as JPEG, with something to see, at most 1080 pixels wide; and a small one for grids.

use std::time::{Duration, Instant};

use super::{Media, MediaError, Probe, Refusal, colour::Target};

/// No JPEG of this width is larger, unless it is absurdly high.
const OUTPUT_BYTES: u64 = 8 << 20;
const MAX_WIDTH: u32 = 1080;
const SMALL_WIDTH: u32 = 360;
const MAX_HEIGHT: u32 = 8192;
/// A second in, past most fades from black; a third into anything shorter.
const LATEST: Duration = Duration::from_secs(1);
/// If there is nothing to see there, this much of the beginning is searched, with so many pictures a second.
const SEARCHED_S: u32 = 5;
const SEARCHED_FPS: u32 = 4;
/// The search may take this share of the time.
const SEARCH_SHARE: u32 = 3;
/// Side of the gray picture by which it is judged.
const GRAY_SIDE: usize = 32;
const GRAY_BYTES: usize = GRAY_SIDE * GRAY_SIDE;

/// A cover in two sizes, as JPEG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// At most 1080 pixels wide.
    pub large: Vec<u8>,
    /// At most 360 pixels wide.
    pub small: Vec<u8>,
}

/// How much there is to see, 0 to 255 each: the mean of the brightness, and its standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
struct LumaStats {
    brightness: f64,
    contrast: f64,
}

impl LumaStats {
    fn of(gray: &[u8]) -> Self {
        let count = gray.len().max(1) as f64;
        let brightness = gray.iter().map(|byte| f64::from(*byte)).sum::<f64>() / count;
        let squares = gray
            .iter()
            .map(|byte| (f64::from(*byte) - brightness).powi(2));
        Self {
            brightness,
            contrast: (squares.sum::<f64>() / count).sqrt(),
        }
    }

    /// Neither black nor white, nor nearly so.
    fn has_detail(self) -> bool {
        (32.0..=224.0).contains(&self.brightness) && self.contrast >= 24.0
    }
}

/// Which of these pictures to take: the first that shows much, compared with the others. So a fade is passed over.
fn select_cover(pictures: &[LumaStats]) -> Option<usize> {
    let max_contrast = pictures.iter().map(|one| one.contrast).fold(0.0, f64::max);
    let shows_much = |one: &LumaStats| {
        one.contrast >= 0.7 * max_contrast && (24.0..=232.0).contains(&one.brightness)
    };
    pictures
        .iter()
        .position(shows_much)
        .or_else(|| pictures.iter().position(|one| one.contrast >= max_contrast))
}

impl Media {
    /// Takes a picture from the video at `url`, which must be good for `Media::cover_url_ttl`.
    pub async fn cover(&self, url: &str, video: &Probe) -> Result<Cover, MediaError> {
        let _slot = self.slot().await?;
        let begun = Instant::now();
        let left = || self.cover_limit.saturating_sub(begun.elapsed());
        let at = LATEST.min(Duration::from_millis(video.duration_ms) / 3);
        let first = match self.picture(url, video, at, left()).await {
            // No picture there, as in a file whose pictures end before its sound: take the first one.
            Err(MediaError::Refused(Refusal::Undecodable)) => {
                self.picture(url, video, Duration::ZERO, left()).await?
            }
            answered => answered?,
        };
        let (cover, content) = first;
        if content.has_detail() {
            return Ok(cover);
        }
        // A poor cover is better than none.
        let Some(better) = self.search(url, video, left() / SEARCH_SHARE).await else {
            return Ok(cover);
        };
        let better = self.picture(url, video, better, left()).await;
        Ok(better.map_or(cover, |(cover, _)| cover))
    }

    async fn picture(
        &self,
        url: &str,
        video: &Probe,
        at: Duration,
        limit: Duration,
    ) -> Result<(Cover, LumaStats), MediaError> {
        let (small, gray) = (self.scratch.small_file()?, self.scratch.small_file()?);
        let (small_path, gray_path) = (small.path(), gray.path());
        let at = format!("{:.3}", at.as_secs_f64());
        let stall_limit_us = Self::stall_limit_us(self.cover_limit);
        let (width, height) = scaled_size(video, MAX_WIDTH);
        let (small_width, small_height) = scaled_size(video, SMALL_WIDTH);
        let filters = video.streams.filters(width, height, Target::Jpeg);
        let graph = format!(
            "[0:{}]{filters},split=3[large][half][rest];[half]scale=w={small_width}:h={small_height}[small];\
             [rest]scale=w={GRAY_SIDE}:h={GRAY_SIDE}:flags=area,format=gray[gray]",
            video.streams.index
        );
        let mut arguments = vec!["-hide_banner", "-nostdin", "-v", "error", "-y"];
        arguments.extend(self.input_arguments(&stall_limit_us));
        arguments.extend(["-ss", &at, "-i", url, "-filter_complex", &graph]);
        arguments.extend(
            "-threads 1 -map [large] -frames:v 1 -c:v mjpeg -q:v 4 -f image2pipe -".split(' '),
        );
        arguments
            .extend("-threads 1 -map [small] -frames:v 1 -c:v mjpeg -q:v 5 -f mjpeg".split(' '));
        arguments.push(&small_path);
        arguments.extend("-map [gray] -frames:v 1 -f rawvideo".split(' '));
        arguments.push(&gray_path);
        let output = self.run("ffmpeg", &arguments, limit, OUTPUT_BYTES).await?;
        if output.transport_failed() {
            return Err(MediaError::Unavailable(
                "broke off while the cover was taken".to_owned(),
            ));
        }
        if output.disk_was_full() {
            return Err(MediaError::DiskFull("media.scratch_dir".to_owned()));
        }
        if output.out_of_memory() {
            return Err(Refusal::TooBig.into());
        }
        let large = output.succeeded().unwrap_or_default();
        let (small, gray) = (small.bytes().await?, gray.bytes().await?);
        if large.is_empty() || small.is_empty() {
            return Err(Refusal::Undecodable.into());
        }
        Ok((Cover { large, small }, LumaStats::of(&gray)))
    }

    /// Where in the first seconds there is most to see; none if that can't be told in time.
    async fn search(&self, url: &str, video: &Probe, limit: Duration) -> Option<Duration> {
        let stall_limit_us = Self::stall_limit_us(self.cover_limit);
        let searched = SEARCHED_S.to_string();
        let graph = format!(
            "[0:{}]fps={SEARCHED_FPS},scale=w={GRAY_SIDE}:h={GRAY_SIDE}:flags=area,format=gray",
            video.streams.index
        );
        let mut arguments = vec!["-hide_banner", "-nostdin", "-v", "error"];
        arguments.extend(self.input_arguments(&stall_limit_us));
        arguments.extend(["-t", &searched, "-i", url, "-filter_complex", &graph]);
        arguments.extend(["-f", "rawvideo", "-"]);
        let output = self.run("ffmpeg", &arguments, limit, OUTPUT_BYTES).await;
        let bytes = output.ok()?.succeeded().ok()?;
        let pictures: Vec<LumaStats> = bytes.chunks_exact(GRAY_BYTES).map(LumaStats::of).collect();
        let number = u32::try_from(select_cover(&pictures)?).ok()?;
        // Within the time that this picture stands for.
        let at = Duration::from_secs(1) * (2 * number + 1) / (2 * SEARCHED_FPS);
        Some(at.min(Duration::from_millis(video.duration_ms) * 9 / 10))
    }
}

/// The size of the video's picture, at most so wide.
fn scaled_size(video: &Probe, max_width: u32) -> (u32, u32) {
    let width = video.width.clamp(1, max_width);
    let height = u64::from(video.height) * u64::from(width) / u64::from(video.width.max(1));
    let even = |side: u32| side.div_ceil(2) * 2;
    let height = u32::try_from(height).unwrap_or(MAX_HEIGHT);
    (even(width), even(height.clamp(1, MAX_HEIGHT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(brightness: f64, contrast: f64) -> LumaStats {
        LumaStats {
            brightness,
            contrast,
        }
    }

    #[test]
    fn black_white_and_fades_are_passed_over() {
        let black = content(0.0, 0.0);
        let fading = content(40.0, 20.0);
        let scene = content(110.0, 60.0);
        let white = content(255.0, 0.0);
        assert_eq!(select_cover(&[black, fading, scene, white]), Some(2));
        assert_eq!(select_cover(&[white, black]), Some(0), "any is as good");
        assert_eq!(select_cover(&[]), None);
        assert!(scene.has_detail());
        assert!(![black, white, fading].iter().any(|one| one.has_detail()));
    }

    #[test]
    fn content_is_told_by_the_brightness() {
        assert_eq!(LumaStats::of(&[7; 1024]), content(7.0, 0.0));
        let checks: Vec<u8> = (0..1024)
            .map(|n| if n % 2 == 0 { 0 } else { 200 })
            .collect();
        assert_eq!(LumaStats::of(&checks), content(100.0, 100.0));
    }
}
