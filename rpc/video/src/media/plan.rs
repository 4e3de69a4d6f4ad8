//! Decides what is made of an upload: what every browser plays as it is, is remuxed; anything else is transcoded.

use super::{Bounds, streams::Streams};

/// The container of what viewers get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For H.264.
    Mp4,
    /// For VP8 and VP9.
    WebM,
}

/// What is made of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Its streams, unchanged, in this container.
    Remux {
        /// The container.
        into: Format,
        /// Whether the upload is of that kind, so that only its index and its metadata change.
        is_same: bool,
    },
    /// New streams.
    Transcode,
}

/// Sides of a picture of 1080p, the height as encoders round it up.
const LONG_SIDE: u32 = 1920;
const SHORT_SIDE: u32 = 1088;
/// 60, and what clocks make of it.
const MAX_FPS: f64 = 60.5;
const H264_PROFILES: [&str; 4] = ["Constrained Baseline", "Baseline", "Main", "High"];

impl Streams {
    /// What is made of an upload with these streams, which has so many bits a second.
    pub(super) fn plan(&self, bit_rate: u64, bounds: Bounds) -> Plan {
        if !self.is_within_1080p60() || bit_rate > bounds.bit_rate {
            return Plan::Transcode;
        }
        let is_8_bit = ["yuv420p", "yuvj420p"].contains(&&*self.pixel_format);
        let audio = self.audio.as_ref().map(|audio| &*audio.codec);
        let into = match &*self.codec {
            "h264"
                if is_8_bit
                    && H264_PROFILES.contains(&&*self.profile)
                    && matches!(audio, None | Some("aac" | "mp3")) =>
            {
                Format::Mp4
            }
            "vp8" | "vp9" if is_8_bit && matches!(audio, None | Some("opus" | "vorbis")) => {
                Format::WebM
            }
            _ => return Plan::Transcode,
        };
        let is_same = self.is_matroska == (into == Format::WebM);
        Plan::Remux { into, is_same }
    }

    /// Within 1080p60, progressive.
    fn is_within_1080p60(&self) -> bool {
        let (long, short) = (
            self.coded_width.max(self.coded_height),
            self.coded_width.min(self.coded_height),
        );
        long <= LONG_SIDE && short <= SHORT_SIDE && self.fps <= MAX_FPS && !self.is_interlaced
    }

    /// Whether its rate must be lowered.
    pub(super) fn is_too_fast(&self) -> bool {
        self.fps > MAX_FPS
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Media, Probe, streams::Audio},
        *,
    };

    const BOUNDS: Bounds = Bounds {
        duration_s: 60,
        pixels: 1 << 30,
        streams: 9,
        bit_rate: 20_000_000,
    };

    fn h264() -> Streams {
        Streams {
            codec: "h264".into(),
            profile: "High".into(),
            pixel_format: "yuv420p".into(),
            coded_width: 1920,
            coded_height: 1080,
            fps: 60.0,
            audio: audio("aac"),
            ..Streams::default()
        }
    }

    fn audio(codec: &str) -> Option<Audio> {
        let codec = codec.to_owned();
        Some(Audio { index: 1, codec })
    }

    #[test]
    fn what_every_browser_plays_is_remuxed_and_all_else_is_transcoded() {
        let remux = |into, is_same| Plan::Remux { into, is_same };
        let vp9 = || Streams {
            codec: "vp9".into(),
            audio: audio("opus"),
            is_matroska: true,
            ..h264()
        };
        type Change = fn(&mut Streams);
        let cases: [(&str, Streams, Change, Plan); 14] = [
            ("H.264", h264(), |_| {}, remux(Format::Mp4, true)),
            (
                "H.264 without sound",
                h264(),
                |s| s.audio = None,
                remux(Format::Mp4, true),
            ),
            (
                "H.264 in Matroska",
                h264(),
                |s| s.is_matroska = true,
                remux(Format::Mp4, false),
            ),
            (
                "on its side",
                h264(),
                |s| (s.coded_width, s.coded_height) = (1080, 1920),
                remux(Format::Mp4, true),
            ),
            ("VP9", vp9(), |_| {}, remux(Format::WebM, true)),
            (
                "VP9 with AAC",
                vp9(),
                |s| s.audio = audio("aac"),
                Plan::Transcode,
            ),
            (
                "10 bits",
                h264(),
                |s| s.pixel_format = "yuv420p10le".into(),
                Plan::Transcode,
            ),
            (
                "4:2:2",
                h264(),
                |s| s.profile = "High 4:2:2".into(),
                Plan::Transcode,
            ),
            ("AC-3", h264(), |s| s.audio = audio("ac3"), Plan::Transcode),
            ("HEVC", h264(), |s| s.codec = "hevc".into(), Plan::Transcode),
            ("AV1", h264(), |s| s.codec = "av1".into(), Plan::Transcode),
            (
                "2160p",
                h264(),
                |s| (s.coded_width, s.coded_height) = (3840, 2160),
                Plan::Transcode,
            ),
            (
                "240 frames a second",
                h264(),
                |s| s.fps = 240.0,
                Plan::Transcode,
            ),
            (
                "interlaced",
                h264(),
                |s| s.is_interlaced = true,
                Plan::Transcode,
            ),
        ];
        for (name, mut streams, change, expected) in cases {
            change(&mut streams);
            assert_eq!(streams.plan(20_000_000, BOUNDS), expected, "{name}");
        }
        assert_eq!(h264().plan(20_000_001, BOUNDS), Plan::Transcode);
    }

    #[test]
    fn what_needs_more_space_as_it_is_than_there_is_at_all_is_transcoded() {
        let mut settings = settings::Settings::load().unwrap();
        settings.media.scratch_bytes = 64 << 20;
        let media = Media::new(&settings);
        let video = Probe {
            duration_ms: 60_000,
            streams: h264(),
            ..Probe::default()
        };
        let remux = Plan::Remux {
            into: Format::Mp4,
            is_same: true,
        };
        assert_eq!(media.plan(&video, 56 << 20), remux);
        assert_eq!(media.plan(&video, (56 << 20) + 1), Plan::Transcode);
    }
}
