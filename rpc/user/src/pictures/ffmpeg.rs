//! Makes a picture of ours from one that somebody sent: decoded and encoded anew by ffmpeg, as JPEG, without metadata, no wider than wanted.
//!
//! The bytes are untrusted. ffmpeg reads them from its standard input, opens nothing else, runs in a [`sandbox`], and has limits on time and pixels.

use std::{os::unix::process::ExitStatusExt as _, process::Stdio, time::Duration};

use sandbox::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// From start to end; also the processor time.
const TIME: Duration = Duration::from_secs(10);
/// A photo of a telephone has up to 50 million pixels, of 4 bytes, which ffmpeg holds a few times.
const MAX_PIXELS: &str = "60000000";
const LIMITS: Limits = Limits {
    cpu: TIME,
    memory_bytes: 2 << 30,
    // It writes none.
    file_bytes: 0,
    in_background: false,
};
/// No JPEG of the largest width is larger, unless it is absurdly high.
const MAX_OUTPUT: u64 = 4 << 20;
const SIGKILL: i32 = 9;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    /// The bytes are no JPEG, PNG or WebP, or damaged, or too much for the limits.
    #[error("the picture can't be read")]
    Unreadable,
    /// No permit came in time.
    #[error("too many pictures wait to be decoded")]
    Busy,
    /// The system killed ffmpeg, for example because memory ran out.
    #[error("ffmpeg was killed")]
    Killed,
    /// ffmpeg can't be run.
    #[error("ffmpeg: {0}")]
    Tool(#[from] std::io::Error),
}

/// The demuxer of a picture, by its first bytes.
fn demuxer(picture: &[u8]) -> Option<&'static str> {
    match picture {
        [0xff, 0xd8, 0xff, ..] => Some("jpeg_pipe"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("png_pipe"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("webp_pipe"),
        _ => None,
    }
}

/// The picture as JPEG of at most `max_width` pixels, on white where it is transparent, upright as its metadata said.
pub(crate) async fn encode(picture: &[u8], max_width: u32) -> Result<Vec<u8>, PictureError> {
    let demuxer = demuxer(picture).ok_or(PictureError::Unreadable)?;
    let filter = format!(
        "[0:v]scale=w='min({max_width},iw)':h=-2,format=rgba[p];color=white:s=16x16,format=rgba[w];\
         [w][p]scale2ref[b][q];[b][q]overlay=format=rgb:shortest=1,format=yuvj420p"
    );
    let before = "-hide_banner -v error -xerror -err_detect explode -threads 1 -protocol_whitelist pipe -max_pixels";
    let after = "-frames:v 1 -map_metadata -1 -threads 1 -c:v mjpeg -q:v 4 -f image2pipe -";
    let mut command = sandbox::command("ffmpeg", LIMITS);
    command
        .args(before.split(' '))
        .args([MAX_PIXELS, "-f", demuxer, "-i", "pipe:0"])
        .args(["-filter_complex", &filter])
        .args(after.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("no pipes").into());
    };
    let mut jpeg = Vec::new();
    let work = async {
        let write = async {
            // It may have seen enough before the end.
            let _ = stdin.write_all(picture).await;
            drop(stdin);
        };
        let mut limited = stdout.take(MAX_OUTPUT + 1);
        let ((), read) = tokio::join!(write, limited.read_to_end(&mut jpeg));
        read?;
        sandbox::wait(&mut child, LIMITS).await
    };
    let ended = tokio::time::timeout(TIME, work).await;
    let Ok(ended) = ended else {
        // Waits for the end, so that the permit isn't released while it still runs.
        child.kill().await?;
        return Err(PictureError::Unreadable);
    };
    let ended = ended?;
    if ended.status.signal() == Some(SIGKILL) && !ended.cpu_is_used_up {
        return Err(PictureError::Killed);
    }
    match ended.status.code() {
        Some(sandbox::COULD_NOT_START) => {
            Err(std::io::Error::other("could not be started: is it installed?").into())
        }
        Some(0) if !jpeg.is_empty() && jpeg.len() as u64 <= MAX_OUTPUT => Ok(jpeg),
        _ => Err(PictureError::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use testkit::eventually;
    use tokio::process::Command;

    use super::*;

    /// By when a program has been started.
    const SOON: Duration = Duration::from_secs(30);

    /// A picture by ffmpeg's own generator.
    async fn picture(codec: &str, size: &str, more: &[&str]) -> Vec<u8> {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-f", "lavfi", "-i"]);
        command
            .arg(format!("testsrc2=s={size}"))
            .args(["-frames:v", "1"]);
        command
            .args(["-c:v", codec])
            .args(more)
            .args(["-f", "image2pipe", "-"]);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    /// Width and height by the frame header of a JPEG.
    fn size(jpeg: &[u8]) -> (u16, u16) {
        let at = jpeg.windows(2).position(|two| matches!(two, [0xff, 0xc0]));
        let at = at.expect("a frame header");
        let number = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
        (number(at + 7), number(at + 5))
    }

    #[tokio::test]
    async fn each_format_becomes_a_jpeg_of_bounded_width() {
        for codec in ["mjpeg", "png", "libwebp"] {
            let large = picture(codec, "2000x1000", &[]).await;
            let jpeg = encode(&large, 512).await.unwrap();
            assert_eq!(size(&jpeg), (512, 256), "{codec}");
            // None is scaled up; an odd height becomes even.
            let small = picture(codec, "64x32", &[]).await;
            let jpeg = encode(&small, 512).await.unwrap();
            assert_eq!(size(&jpeg), (64, 32), "{codec}");
        }
    }

    #[tokio::test]
    async fn metadata_is_obeyed_and_removed() {
        let plain = picture("mjpeg", "200x100", &[]).await;
        // Turned by a quarter, with a camera's name.
        let mut exif =
            b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
        exif.extend(b"SECRET PLACE");
        let mut turned = plain[..2].to_vec();
        turned.extend([0xff, 0xe1]);
        turned.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
        turned.extend(&exif);
        turned.extend(&plain[2..]);
        let jpeg = encode(&turned, 512).await.unwrap();
        assert_eq!(size(&jpeg), (100, 200));
        for word in ["SECRET", "Exif"] {
            let is_there = jpeg.windows(word.len()).any(|part| part == word.as_bytes());
            assert!(!is_there, "{word}");
        }
    }

    /// Kills the programs with this in their command line; how many.
    fn kill_those_naming(text: &str) -> usize {
        let named = |entry: std::fs::DirEntry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let names = String::from_utf8_lossy(&line).contains(text);
            names.then(|| entry.file_name())
        };
        let entries = std::fs::read_dir("/proc").unwrap();
        let ids = entries.filter_map(|entry| named(entry.ok()?));
        let kill = |id| {
            std::process::Command::new("kill")
                .arg("-KILL")
                .arg(id)
                .status()
        };
        ids.filter(|id| kill(id.clone()).unwrap().success()).count()
    }

    #[tokio::test]
    async fn a_picture_whose_program_was_killed_is_no_bad_one() {
        // Enough to do that it is there to be killed, and a width that names it.
        let huge = picture("mjpeg", "7000x7000", &[]).await;
        let encoded = tokio::spawn(async move { encode(&huge, 1499).await });
        let killed = eventually(SOON, "ffmpeg at work", async || {
            (kill_those_naming("min(1499,iw)") > 0).then_some(())
        });
        killed.await;
        let killed = encoded.await.unwrap();
        assert!(matches!(killed, Err(PictureError::Killed)), "{killed:?}");
    }

    #[tokio::test]
    async fn what_is_no_picture_is_refused() {
        let jpeg = picture("mjpeg", "2000x1000", &[]).await;
        let png = picture("png", "2000x1000", &[]).await;
        let huge = picture("png", "9000x9000", &["-compression_level", "1"]).await;
        for (name, bytes) in [
            ("nothing", &b""[..]),
            ("text", b"GIF89a is not among the formats"),
            ("a head alone", &jpeg[..20]),
            ("a PNG cut short", &png[..png.len() / 2]),
            ("too many pixels", &huge),
        ] {
            let refused = encode(bytes, 512).await;
            assert!(matches!(refused, Err(PictureError::Unreadable)), "{name}");
        }
    }
}
