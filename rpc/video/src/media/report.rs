//! What ffprobe reports of an object, and what it means: a video, or why it is none.

use serde::Deserialize;

use super::{
    Bounds, Refusal,
    streams::{Audio, Streams},
};

/// A Matroska file that starts later than this has a header that doesn't tell how long it plays.
const LATE_START_S: f64 = 0.5;

/// A video, as a viewer sees it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Probe {
    /// Above 0.
    pub duration_ms: u64,
    /// In square pixels, after rotation.
    pub width: u32,
    /// In square pixels, after rotation.
    pub height: u32,
    /// What it consists of.
    pub streams: Streams,
}

/// The whole report.
#[derive(Deserialize)]
pub(super) struct Report {
    format: Option<Container>,
    #[serde(default)]
    streams: Vec<Stream>,
}

#[derive(Deserialize, Default)]
struct Container {
    #[serde(default)]
    format_name: String,
    duration: Option<String>,
    start_time: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    #[serde(default)]
    index: u32,
    codec_type: Option<String>,
    #[serde(default)]
    codec_name: String,
    #[serde(default)]
    profile: String,
    #[serde(default)]
    pix_fmt: String,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    sample_aspect_ratio: Option<String>,
    avg_frame_rate: Option<String>,
    #[serde(default)]
    field_order: String,
    #[serde(default)]
    color_space: String,
    #[serde(default)]
    color_transfer: String,
    #[serde(default)]
    disposition: Disposition,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize, Default)]
struct Disposition {
    #[serde(default)]
    default: u8,
    #[serde(default)]
    attached_pic: u8,
    #[serde(default)]
    timed_thumbnails: u8,
}

#[derive(Deserialize, Default)]
struct Tags {
    rotate: Option<String>,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

/// In milliseconds, of a duration that may be published.
pub(super) fn checked_duration_ms(seconds: f64, bounds: Bounds) -> Result<u64, Refusal> {
    // NaN fails the comparison as well.
    if !(seconds > 0.0 && seconds.is_finite()) {
        return Err(Refusal::NoDuration);
    }
    if seconds > bounds.duration_s as f64 {
        return Err(Refusal::TooLong(bounds.duration_s));
    }
    Ok(((seconds * 1000.0).round() as u64).max(1))
}

impl Report {
    /// The duration that the container tells; none if it doesn't.
    pub(super) fn duration(&self) -> Option<f64> {
        let format = self.format.as_ref()?;
        let seconds = |text: &Option<String>| text.as_deref()?.parse::<f64>().ok();
        let starts_late = self.is_matroska()
            && seconds(&format.start_time).is_some_and(|start| start > LATE_START_S);
        seconds(&format.duration).filter(|seconds| *seconds > 0.0 && !starts_late)
    }

    fn is_matroska(&self) -> bool {
        let format = self.format.as_ref();
        format.is_some_and(|format| format.format_name.contains("matroska"))
    }

    /// All but the duration.
    pub(super) fn video(&self, bounds: Bounds) -> Result<Probe, Refusal> {
        let played = self
            .streams
            .iter()
            .filter(|stream| stream.is("video") || stream.is("audio") || stream.is("subtitle"));
        if played.count() > bounds.streams {
            return Err(Refusal::TooManyStreams(bounds.streams));
        }
        if !self.streams.iter().any(|stream| stream.is("video")) {
            return Err(Refusal::NoVideoStream);
        }
        let stream = self.main_track().ok_or(Refusal::StillPicture)?;
        if stream.width == 0 || stream.height == 0 {
            return Err(Refusal::Undecodable);
        }
        // Also those of streams that we don't decode: ffprobe does.
        if self.streams.iter().any(|one| one.pixels() > bounds.pixels) {
            return Err(Refusal::TooManyPixels(bounds.pixels));
        }
        let (width, height) = stream.display_size();
        let sounds = || self.streams.iter().filter(|stream| stream.is("audio"));
        let audio = sounds()
            .find(|stream| stream.disposition.default == 1)
            .or_else(|| sounds().next());
        Ok(Probe {
            duration_ms: 0,
            width,
            height,
            streams: Streams {
                index: stream.index,
                codec: stream.codec_name.clone(),
                profile: stream.profile.clone(),
                pixel_format: stream.pix_fmt.clone(),
                coded_width: stream.width,
                coded_height: stream.height,
                fps: stream
                    .avg_frame_rate
                    .as_deref()
                    .and_then(|rate| ratio(rate, '/'))
                    .unwrap_or_default(),
                is_interlaced: ["tt", "bb", "tb", "bt"].contains(&&*stream.field_order),
                space: stream.color_space.clone(),
                transfer: stream.color_transfer.clone(),
                audio: audio.map(|audio| Audio {
                    index: audio.index,
                    codec: audio.codec_name.clone(),
                }),
                is_matroska: self.is_matroska(),
            },
        })
    }

    /// The track that players show: a default one before others, then the largest, then the first.
    fn main_track(&self) -> Option<&Stream> {
        let is_picture = |stream: &&Stream| {
            let kinds = &stream.disposition;
            stream.is("video") && kinds.attached_pic == 0 && kinds.timed_thumbnails == 0
        };
        let tracks = self.streams.iter().filter(is_picture);
        tracks.min_by_key(|stream| {
            let by_size = std::cmp::Reverse(stream.pixels());
            (stream.disposition.default == 0, by_size, stream.index)
        })
    }
}

/// "64:45" or "30000/1001"; none for what is no number.
fn ratio(text: &str, separator: char) -> Option<f64> {
    let (over, under) = text.split_once(separator)?;
    let ratio = over.parse::<f64>().ok()? / under.parse::<f64>().ok()?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

impl Stream {
    fn is(&self, kind: &str) -> bool {
        self.codec_type.as_deref() == Some(kind)
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// In square pixels, after rotation.
    fn display_size(&self) -> (u32, u32) {
        let shape = self.sample_aspect_ratio.as_deref();
        let shape = shape.and_then(|shape| ratio(shape, ':')).unwrap_or(1.0);
        let width = (f64::from(self.width) * shape).round().clamp(1.0, 65_535.0) as u32;
        match self.is_rotated_90() {
            true => (self.height, width),
            false => (width, self.height),
        }
    }

    fn is_rotated_90(&self) -> bool {
        let degrees = self
            .side_data_list
            .iter()
            .find_map(|data| data.rotation)
            .or_else(|| self.tags.rotate.as_deref()?.parse().ok())
            .unwrap_or_default();
        (degrees.abs() % 180.0 - 90.0).abs() < 45.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(json: serde_json::Value) -> Result<Probe, Refusal> {
        let bounds = Bounds {
            duration_s: 60,
            pixels: 320 * 180,
            streams: 2,
            bit_rate: 1,
        };
        let report: Report = serde_json::from_value(json).unwrap();
        let mut video = report.video(bounds)?;
        video.duration_ms = checked_duration_ms(report.duration().unwrap_or_default(), bounds)?;
        Ok(video)
    }

    fn track(width: u32, change: serde_json::Value) -> serde_json::Value {
        let mut track = serde_json::json!({"codec_type": "video", "width": width, "height": 180});
        let change = change.as_object().unwrap().clone();
        track.as_object_mut().unwrap().extend(change);
        track
    }

    #[test]
    fn the_main_track_is_a_default_one_then_the_largest() {
        let of = |tracks: Vec<serde_json::Value>| {
            let probe = report(serde_json::json!({"format": {"duration": "1"}, "streams": tracks}));
            probe.map(|probe| probe.width)
        };
        let default = serde_json::json!({"disposition": {"default": 1}});
        let thumbnail = serde_json::json!({"disposition": {"default": 1, "timed_thumbnails": 1}});
        let none = serde_json::json!({});
        assert_eq!(
            of(vec![track(320, none.clone()), track(200, default)]),
            Ok(200)
        );
        assert_eq!(
            of(vec![track(200, none.clone()), track(320, none.clone())]),
            Ok(320)
        );
        assert_eq!(
            of(vec![track(320, thumbnail.clone()), track(200, none)]),
            Ok(200)
        );
        assert_eq!(of(vec![track(320, thumbnail)]), Err(Refusal::StillPicture));
    }

    #[test]
    fn attachments_are_no_streams_and_pixels_become_square() {
        let font = || serde_json::json!({"codec_type": "attachment"});
        let wide = track(160, serde_json::json!({"sample_aspect_ratio": "64:45"}));
        let streams = vec![wide, font(), font(), font()];
        let probe = report(serde_json::json!({"format": {"duration": "1"}, "streams": streams}));
        let probe = probe.unwrap();
        assert_eq!((probe.width, probe.height), (228, 180));
    }

    #[test]
    fn a_late_start_is_no_duration() {
        let of = |name: &str| {
            let format = serde_json::json!({"format_name": name, "duration": "36001", "start_time": "36000"});
            let report: Report =
                serde_json::from_value(serde_json::json!({"format": format})).unwrap();
            report.duration()
        };
        assert_eq!(of("matroska,webm"), None, "to be counted");
        assert_eq!(of("mov,mp4,m4a,3gp,3g2,mj2"), Some(36_001.0));
    }

    #[test]
    fn what_is_at_its_bounds_is_accepted_and_what_is_beyond_them_is_not() {
        let picture =
            |width: u32| serde_json::json!({"codec_type": "video", "width": width, "height": 180});
        let sound = || serde_json::json!({"codec_type": "audio"});
        let of = |duration: &str, streams: Vec<serde_json::Value>| {
            report(serde_json::json!({"format": {"duration": duration}, "streams": streams}))
        };
        assert!(of("60.000", vec![picture(320), sound()]).is_ok());
        assert_eq!(of("60.001", vec![picture(320)]), Err(Refusal::TooLong(60)));
        let pixels = Err(Refusal::TooManyPixels(320 * 180));
        assert_eq!(of("1", vec![picture(321)]), pixels);
        assert_eq!(of("1", vec![picture(2), picture(321)]), pixels);
        let streams = vec![picture(2), sound(), sound()];
        assert_eq!(of("1", streams), Err(Refusal::TooManyStreams(2)));
    }

    #[test]
    fn a_video_turned_by_a_quarter_swaps_its_sides() {
        for rotated in [
            serde_json::json!({"side_data_list": [{"rotation": -90}]}),
            serde_json::json!({"tags": {"rotate": "270"}}),
        ] {
            let mut stream =
                serde_json::json!({"codec_type": "video", "width": 320, "height": 180});
            stream
                .as_object_mut()
                .unwrap()
                .extend(rotated.as_object().unwrap().clone());
            let probe =
                report(serde_json::json!({"format": {"duration": "1.0004"}, "streams": [stream]}));
            let probe = probe.unwrap();
            assert_eq!(
                (probe.duration_ms, probe.width, probe.height),
                (1000, 180, 320)
            );
        }
    }

    #[test]
    fn a_duration_that_is_no_time_is_refused() {
        for duration in ["0.000000", "N/A", "nan", "inf", "-1"] {
            let stream = serde_json::json!({"codec_type": "video", "width": 2, "height": 2});
            assert_eq!(
                report(serde_json::json!({"format": {"duration": duration}, "streams": [stream]})),
                Err(Refusal::NoDuration),
                "{duration}"
            );
        }
    }
}
