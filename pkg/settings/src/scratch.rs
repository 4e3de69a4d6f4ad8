//! How much scratch space a transcode needs.

use super::Settings;

/// The unit in which scratch space is reserved, in bytes.
pub const SCRATCH_UNIT: u64 = 1 << 20;
/// Bits a second of the sound, and what containers add.
const AUDIO_BITS: u64 = 160_000;

/// The largest size of a rendition with so many bits a second of pictures, in bytes: as if it were 10 s longer, and 8 MiB for its tables.
pub fn rendition_bytes(bit_rate: u64, seconds: u64) -> u64 {
    let bits = bit_rate.saturating_add(AUDIO_BITS);
    let bytes = bits.saturating_mul(seconds.saturating_add(10)) / 8;
    bytes.saturating_add(8 << 20)
}

impl Settings {
    /// Whether all renditions of the longest video fit into the scratch space.
    pub(super) fn longest_video_fits(&self) -> bool {
        let (media, transcoder) = (&self.media, &self.transcoder);
        let small = (media.small_height > 0).then_some(transcoder.small_bit_rate);
        let units = std::iter::once(transcoder.max_bit_rate)
            .chain(small)
            .map(|rate| rendition_bytes(rate, media.max_duration_s).div_ceil(SCRATCH_UNIT));
        units.sum::<u64>() <= media.scratch_bytes / SCRATCH_UNIT
    }
}
