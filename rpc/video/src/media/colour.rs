//! Builds the ffmpeg filters that scale a picture, convert its colour matrix, and tone-map HDR to SDR.

use super::Streams;

/// Where colours are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A JPEG: full range, and the matrix of JFIF.
    Jpeg,
    /// A video: limited range, BT.709.
    Video,
}

/// White of the SDR part of an HDR picture, in cd/m² (ITU-R BT.2408).
const SDR_WHITE: u32 = 203;

impl Streams {
    /// Filters to `width` x `height` square pixels.
    pub(super) fn filters(&self, width: u32, height: u32, target: Target) -> String {
        let (matrix, range, format) = match target {
            Target::Jpeg => ("bt601", "pc", "yuvj420p"),
            Target::Video => ("bt709", "tv", "yuv420p"),
        };
        let to_sdr = match self.hdr_transfer() {
            Some(transfer) => format!(
                // Small first: what follows computes with 12 bytes a pixel.
                "zscale=w={width}:h={height}:tin={transfer}:min=bt2020nc:pin=bt2020:t=linear:npl={SDR_WHITE},format=gbrpf32le,\
                 zscale=p=bt709,tonemap=mobius:param=0.7:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p,"
            ),
            None => String::new(),
        };
        let from = match self.hdr_transfer() {
            Some(_) => "bt709",
            None => self.matrix(),
        };
        format!(
            "{to_sdr}scale=w={width}:h={height}:in_color_matrix={from}:out_color_matrix={matrix}:out_range={range},\
             setsar=1,format={format}"
        )
    }

    /// The name of its transfer function, if that is one of HDR.
    fn hdr_transfer(&self) -> Option<&'static str> {
        match &*self.transfer {
            "smpte2084" => Some("smpte2084"),
            "arib-std-b67" => Some("arib-std-b67"),
            _ => None,
        }
    }

    /// The matrix, as the scaler calls it; where the file doesn't say, as players guess it.
    fn matrix(&self) -> &'static str {
        match &*self.space {
            "bt709" | "gbr" => "bt709",
            "bt470bg" | "smpte170m" => "bt601",
            "fcc" => "fcc",
            "smpte240m" => "smpte240m",
            "bt2020nc" | "bt2020c" => "bt2020",
            _ if self.coded_width >= 1280 || self.coded_height > 576 => "bt709",
            _ => "bt601",
        }
    }
}
