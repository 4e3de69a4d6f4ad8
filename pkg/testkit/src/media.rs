//! Small media files: good ones, broken ones, and ones that try to make ffmpeg fetch a URL.
//!
//! ffmpeg makes them at first use; they are kept in `target/testkit/media` for the next run.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
};

use crate::{mp4, process::testkit_directory};

/// One second of H.264 and AAC.
const ENCODE_MP4: &str = "-f lavfi -i testsrc=size=180x320:rate=15:duration=1 -f lavfi -i sine=frequency=440:duration=1 \
     -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -shortest";

/// A good video: one second, 180x320, index (moov) in front.
pub fn mp4() -> Vec<u8> {
    made("front.mp4", &format!("{ENCODE_MP4} -movflags +faststart"))
}

/// The same with the index at the end, as cameras write it.
pub fn mp4_moov_at_end() -> Vec<u8> {
    made("end.mp4", ENCODE_MP4)
}

/// A good video of exactly `size` bytes (or a few more than [`mp4()`] has, if `size` is smaller): padded by a `free` box.
pub fn mp4_of_size(size: usize) -> Vec<u8> {
    padded(mp4(), size)
}

/// The same of ten seconds: up to 20 MiB it has few enough bits a second to be remuxed within the publish.
pub fn long_mp4_of_size(size: usize) -> Vec<u8> {
    let ten_seconds = ENCODE_MP4.replace("duration=1", "duration=10");
    padded(made("long.mp4", &ten_seconds), size)
}

fn padded(mut video: Vec<u8>, size: usize) -> Vec<u8> {
    let padding = size.saturating_sub(video.len() + 8);
    video.extend(mp4::make_box(*b"free", &vec![0; padding]));
    video
}

/// A good QuickTime film, turned by 90 degrees.
pub fn mov() -> Vec<u8> {
    made(
        "turned.mov",
        &format!("{ENCODE_MP4} -metadata:s:v:0 rotate=90"),
    )
}

/// A good WebM: VP8, no sound.
pub fn webm() -> Vec<u8> {
    made(
        "good.webm",
        "-f lavfi -i testsrc=size=180x320:rate=15:duration=2 -c:v libvpx -deadline realtime -cpu-used 8 -b:v 400k",
    )
}

/// A good Matroska film.
pub fn mkv() -> Vec<u8> {
    made("good.mkv", ENCODE_MP4)
}

/// A good video that no browser plays: MPEG-4 ASP and AC-3, one second, 180x320.
pub fn mpeg4() -> Vec<u8> {
    made(
        "mpeg4.mkv",
        "-f lavfi -i testsrc=size=180x320:rate=15:duration=1 -f lavfi -i sine=frequency=440:duration=1 \
         -c:v mpeg4 -c:a ac3 -shortest",
    )
}

/// The same kind of video, ten seconds of 720p: it takes a transcoder some time.
pub fn long_mpeg4() -> Vec<u8> {
    made(
        "long-mpeg4.mkv",
        "-f lavfi -i testsrc2=size=1280x720:rate=25:duration=10 -c:v mpeg4 -b:v 1M",
    )
}

/// A QuickTime film, turned by 90 degrees, that says where it was made.
pub fn with_place() -> Vec<u8> {
    mp4();
    let source = testkit_directory("media").join("front.mp4");
    made(
        "place.mov",
        &format!(
            "-i {} -c copy -metadata:s:v:0 rotate=90 -movflags use_metadata_tags \
             -metadata com.apple.quicktime.location.ISO6709=+48.8577+002.2950/",
            source.display()
        ),
    )
}

/// A sound without a picture, in an mp4.
pub fn audio_only() -> Vec<u8> {
    made(
        "audio.mp4",
        "-f lavfi -i sine=frequency=440:duration=1 -c:a aac",
    )
}

/// A still picture.
pub fn picture() -> Vec<u8> {
    made(
        "still.png",
        "-f lavfi -i testsrc=size=180x320:rate=1:duration=1 -frames:v 1",
    )
}

/// A film with its index in front, cut to a third, whose boxes say that this is all.
pub fn cut_and_resized() -> Vec<u8> {
    let mut file = mp4();
    file.truncate(file.len() / 3);
    let data = file.windows(4).position(|kind| kind == b"mdat");
    let start = data.expect("the samples") - 4;
    let size = u32::try_from(file.len() - start).expect("a small file");
    let place = file.get_mut(start..start + 4).expect("a size");
    place.copy_from_slice(&size.to_be_bytes());
    file
}

/// The beginning of a photo as phones take it.
pub fn photo() -> Vec<u8> {
    let brands = b"heic\0\0\0\0mif1heic";
    let boxes = [
        mp4::make_box(*b"ftyp", brands),
        mp4::make_box(*b"meta", &[0; 64]),
        mp4::make_box(*b"mdat", &[0; 256]),
    ];
    boxes.concat()
}

/// Whether a film begins with its index, so that it plays before all of it has come: an MP4's movie box, or a Matroska's cues.
pub fn has_index_in_front(film: &[u8]) -> bool {
    let at = |pattern: &[u8]| film.windows(pattern.len()).position(|part| part == pattern);
    let (index, data) = match film.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]) {
        true => (at(&[0x1C, 0x53, 0xBB, 0x6B]), at(&[0x1F, 0x43, 0xB6, 0x75])),
        false => (at(b"moov"), at(b"mdat")),
    };
    index.zip(data).is_some_and(|(index, data)| index < data)
}

/// Text that says it is a video.
pub fn text() -> Vec<u8> {
    b"This is a video. Believe me.\n".repeat(40)
}

/// The first two thirds of a file, as a broken connection leaves it.
pub fn cut_short(mut file: Vec<u8>) -> Vec<u8> {
    file.truncate(file.len() * 2 / 3);
    file
}

/// An HLS playlist whose only segment is at `url`.
pub fn hls(url: &str) -> Vec<u8> {
    format!(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{url}\n#EXT-X-ENDLIST\n"
    )
    .into_bytes()
}

/// A script of ffmpeg's concat format that includes `url`.
pub fn concat(url: &str) -> Vec<u8> {
    format!("ffconcat version 1.0\nfile '{url}'\n").into_bytes()
}

/// A DASH manifest whose only segment is at `url`.
pub fn dash(url: &str) -> Vec<u8> {
    format!(
        r#"<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">
<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1" width="180" height="320"><BaseURL>{url}</BaseURL><SegmentBase indexRange="0-1"/></Representation></AdaptationSet></Period>
</MPD>
"#
    )
    .into_bytes()
}

/// A session description that asks for a stream at `address`.
pub fn sdp(address: SocketAddr) -> Vec<u8> {
    let (ip, port) = (address.ip(), address.port());
    format!("v=0\no=- 0 0 IN IP4 {ip}\ns=x\nc=IN IP4 {ip}\nt=0 0\na=setup:active\nm=video {port} TCP/RTP/AVP 96\na=rtpmap:96 H264/90000\n")
        .into_bytes()
}

/// An mp4 whose tracks say that their samples are at `url`.
pub fn dref(url: &str) -> Vec<u8> {
    let entry = mp4::make_box(*b"url ", &[&[0; 4], url.as_bytes(), &[0]].concat());
    // Version and flags 0, one entry.
    let content = [&[0, 0, 0, 0, 0, 0, 0, 1], &entry[..]].concat();
    let path = [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"];
    // Behind the samples the index may grow without moving them.
    mp4::replace(&mp4_moov_at_end(), &path, &content)
}

/// The file `name` as ffmpeg makes it from `arguments`. Tests that make it at the same time each write their own and rename
/// it, so that no reader sees half a file.
pub fn made(name: &str, arguments: &str) -> Vec<u8> {
    let directory = testkit_directory("media");
    let path = directory.join(name);
    if let Ok(bytes) = std::fs::read(&path) {
        return bytes;
    }
    let extension = name.rsplit('.').next().unwrap_or_default();
    let draft = tempfile::Builder::new()
        .suffix(&format!(".{extension}"))
        .tempfile_in(&directory)
        .expect("a draft file");
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"])
        .args(arguments.split_whitespace())
        .arg(draft.path())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("start ffmpeg ({error}): `make test` installs it"));
    if !output.status.success() {
        panic!("make {name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let bytes = std::fs::read(draft.path()).expect("what ffmpeg made");
    draft.persist(&path).expect("keep what ffmpeg made");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(file: &[u8], kind: &[u8; 4]) -> usize {
        let kinds = mp4::top_level(file);
        kinds
            .iter()
            .position(|found| found == kind)
            .expect("the box")
    }

    #[test]
    fn the_index_is_where_the_name_says() {
        let (front, end) = (mp4(), mp4_moov_at_end());
        assert!(position(&front, b"moov") < position(&front, b"mdat"));
        assert!(position(&end, b"moov") > position(&end, b"mdat"));
    }

    #[test]
    fn a_padded_video_has_its_size_and_its_boxes_fill_it() {
        let video = mp4_of_size(200_000);
        assert_eq!(video.len(), 200_000);
        assert_eq!(mp4::top_level(&video).last(), Some(b"free"));
    }

    #[test]
    fn a_data_reference_names_the_url() {
        let url = "http://127.0.0.1:9/x.mp4";
        let file = dref(url);
        let kinds = mp4::top_level(&file);
        assert_eq!(kinds, mp4::top_level(&mp4_moov_at_end()));
        let named = file
            .windows(url.len())
            .filter(|part| *part == url.as_bytes());
        assert_eq!(named.count(), 2, "one a track");
    }
}
