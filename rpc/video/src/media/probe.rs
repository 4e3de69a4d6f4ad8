//! Asks ffprobe whether an object is a video, and for its duration and size.

use serde::Deserialize;

use super::{Bounds, Media, MediaError, Refusal};

const OUTPUT_BYTES: u64 = 1 << 20;
const ENTRIES: &str = "format=duration:stream=codec_type,width,height:stream_disposition=attached_pic:stream_tags=rotate:stream_side_data=rotation";

/// A video, as a viewer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Above 0.
    pub duration_ms: u64,
    /// In pixels, after rotation.
    pub width: u32,
    /// In pixels, after rotation.
    pub height: u32,
}

#[derive(Deserialize)]
struct Report {
    format: Option<Format>,
    #[serde(default)]
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Format {
    duration: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
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
    attached_pic: u8,
}

#[derive(Deserialize, Default)]
struct Tags {
    rotate: Option<String>,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

impl Media {
    /// Asks ffprobe about the object at `url`, which must be good for [`Media::probe_url_life`].
    pub async fn probe(&self, url: &str) -> Result<Probe, MediaError> {
        let stall_limit_us = Self::stall_limit_us(self.probe_limit);
        let mut arguments = vec!["-v", "error", "-print_format", "json"];
        arguments.extend(self.input_arguments(&stall_limit_us));
        arguments.extend(["-show_entries", ENTRIES, "-i", url]);
        let _slot = self.slot().await?;
        let output = self
            .run("ffprobe", &arguments, self.probe_limit, OUTPUT_BYTES)
            .await?;
        if output.transport_failed() {
            return Err(MediaError::Unavailable("broke off while probed".to_owned()));
        }
        if output.out_of_memory() {
            return Err(Refusal::TooBig.into());
        }
        let Ok(json) = output.succeeded() else {
            return Err(Refusal::UnknownFormat.into());
        };
        let report: Report = serde_json::from_slice(&json)
            .map_err(|error| MediaError::Tool(format!("ffprobe's report: {error}")))?;
        Ok(report.video(self.bounds)?)
    }
}

impl Report {
    fn video(&self, bounds: Bounds) -> Result<Probe, Refusal> {
        if self.streams.len() > bounds.streams {
            return Err(Refusal::TooManyStreams(bounds.streams));
        }
        let mut pictures = self
            .streams
            .iter()
            .filter(|stream| stream.codec_type.as_deref() == Some("video"))
            .peekable();
        if pictures.peek().is_none() {
            return Err(Refusal::NoVideoStream);
        }
        let stream = pictures
            .find(|stream| stream.disposition.attached_pic == 0)
            .ok_or(Refusal::StillPicture)?;
        if stream.width == 0 || stream.height == 0 {
            return Err(Refusal::Undecodable);
        }
        // Also those of streams that we don't decode: a viewer may.
        let pixels = |stream: &Stream| u64::from(stream.width) * u64::from(stream.height);
        if self.streams.iter().any(|one| pixels(one) > bounds.pixels) {
            return Err(Refusal::TooManyPixels(bounds.pixels));
        }
        let seconds: f64 = self
            .format
            .as_ref()
            .and_then(|format| format.duration.as_deref())
            .and_then(|duration| duration.parse().ok())
            .unwrap_or_default();
        // NaN fails the comparison as well.
        if !(seconds > 0.0 && seconds.is_finite()) {
            return Err(Refusal::NoDuration);
        }
        if seconds > bounds.duration_s as f64 {
            return Err(Refusal::TooLong(bounds.duration_s));
        }
        let (width, height) = if stream.is_on_its_side() {
            (stream.height, stream.width)
        } else {
            (stream.width, stream.height)
        };
        Ok(Probe {
            duration_ms: ((seconds * 1000.0).round() as u64).max(1),
            width,
            height,
        })
    }
}

impl Stream {
    fn is_on_its_side(&self) -> bool {
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
        };
        let report: Report = serde_json::from_value(json).unwrap();
        report.video(bounds)
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
            assert_eq!(
                probe,
                Ok(Probe {
                    duration_ms: 1000,
                    width: 180,
                    height: 320
                })
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
