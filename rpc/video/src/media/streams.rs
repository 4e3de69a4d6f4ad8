//! The streams of an upload that viewers get, as the probe found them.

/// The streams that viewers get.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Streams {
    /// Of the pictures, in the file.
    pub(super) index: u32,
    pub(super) codec: String,
    pub(super) profile: String,
    pub(super) pixel_format: String,
    pub(super) coded_width: u32,
    pub(super) coded_height: u32,
    /// On average; 0: unknown.
    pub(super) fps: f64,
    pub(super) is_interlaced: bool,
    /// Of the colours, as ffmpeg calls it.
    pub(super) space: String,
    pub(super) transfer: String,
    pub(super) audio: Option<Audio>,
    /// Or WebM.
    pub(super) is_matroska: bool,
}

/// The sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Audio {
    pub(super) index: u32,
    pub(super) codec: String,
}

impl Streams {
    /// ffmpeg's names of the streams.
    pub(super) fn maps(&self) -> Vec<String> {
        let pictures = format!("0:{}", self.index);
        std::iter::once(pictures).chain(self.audio_map()).collect()
    }

    /// The same of the sound.
    pub(super) fn audio_map(&self) -> Option<String> {
        let audio = self.audio.as_ref();
        audio.map(|audio| format!("0:{}", audio.index))
    }

    /// How long a picture is shown on average, in milliseconds; 0: unknown.
    pub(super) fn picture_ms(&self) -> u64 {
        match self.fps > 0.0 {
            true => (1000.0 / self.fps) as u64,
            false => 0,
        }
    }
}
