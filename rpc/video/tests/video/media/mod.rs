//! ffprobe and ffmpeg on real files in the real object store: what they accept, and the limits on them.

mod limits;

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use rpc_video::media::{Media, MediaError, Probe, Refusal};
use settings::{Secret, Settings};
use storage::Store;
use testkit::{Bucket, environment, media as files};

/// Files in a bucket of their own, and the programs that look at them.
struct Bench {
    bucket: Bucket,
    store: Store,
    media: Media,
}

impl Bench {
    async fn set_up() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let bucket = Bucket::create().await;
        let mut settings = Settings::load().unwrap();
        settings.object_store.endpoint = environment::s3_endpoint();
        settings.object_store.bucket = bucket.name().to_owned();
        settings.object_store.access_key = Secret::new(environment::s3_access_key());
        settings.object_store.secret_key = Secret::new(environment::s3_secret_key());
        change(&mut settings);
        Self {
            bucket,
            store: Store::new(&settings.object_store).unwrap(),
            media: Media::new(&settings),
        }
    }

    async fn url(&self, file: Vec<u8>) -> String {
        self.bucket.put("videos/file.mp4", file).await;
        self.store
            .internal_url("videos/file.mp4", Duration::from_secs(60))
            .unwrap()
    }

    async fn probe(&self, file: Vec<u8>) -> Result<Probe, MediaError> {
        let url = self.url(file).await;
        self.media.probe(&url).await
    }

    async fn refusal(&self, file: Vec<u8>) -> Refusal {
        refusal(self.probe(file).await)
    }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, MediaError>) -> Refusal {
    match outcome {
        Err(MediaError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal: {other:?}"),
    }
}

/// A file made by ffmpeg, of the format that its name's extension tells.
fn made(arguments: &str, extension: &str) -> Vec<u8> {
    // Not through a pipe: some formats go back to write what they know only at the end.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(format!("file.{extension}"));
    let status = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-loglevel", "error"])
        .args(arguments.split_whitespace())
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read(path).unwrap()
}

/// A film that a camera held sideways took.
fn turned(film: &[u8]) -> Vec<u8> {
    let source = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(source.path(), film).unwrap();
    let source = source.path().display();
    made(
        &format!("-i {source} -c copy -metadata:s:v:0 rotate=90"),
        "mov",
    )
}

/// What ffmpeg writes to a pipe, where it can't go back.
fn piped(arguments: &str) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-loglevel", "error"])
        .args(arguments.split_whitespace())
        .arg("pipe:1")
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

/// Width and height of a JPEG.
fn jpeg_size(jpeg: &[u8]) -> (u16, u16) {
    assert_eq!(&jpeg[..2], [0xFF, 0xD8], "begins like a JPEG");
    assert_eq!(&jpeg[jpeg.len() - 2..], [0xFF, 0xD9], "ends like a JPEG");
    let frame = jpeg
        .windows(2)
        .position(|marker| marker == [0xFF, 0xC0])
        .expect("a baseline frame");
    let number = |at: usize| u16::from_be_bytes([jpeg[frame + at], jpeg[frame + at + 1]]);
    (number(7), number(5))
}

#[tokio::test]
async fn videos_of_every_format_are_measured_and_have_a_cover() {
    let bench = Bench::set_up().await;
    for (name, file, size) in [
        ("mp4, index in front", files::mp4(), (180, 320)),
        (
            "mp4, index at the end",
            files::mp4_moov_at_end(),
            (180, 320),
        ),
        (
            "mov, turned by a quarter",
            turned(&files::mp4()),
            (320, 180),
        ),
        ("webm", files::webm(), (180, 320)),
        ("mkv", files::mkv(), (180, 320)),
    ] {
        let url = bench.url(file).await;
        let video = bench.media.probe(&url).await.expect(name);
        assert_eq!((video.width, video.height), size, "{name}");
        assert!(
            (900..=2200).contains(&video.duration_ms),
            "{name}: {video:?}"
        );
        let cover = bench.media.cover(&url, &video).await.expect(name);
        let size = (size.0 as u16, size.1 as u16);
        assert_eq!(jpeg_size(&cover.large), size, "{name}");
    }
}

#[tokio::test]
async fn a_cover_is_at_most_1080_wide_a_small_one_360_and_both_of_even_height() {
    let bench = Bench::set_up().await;
    let wide = "-f lavfi -i testsrc=size=1440x810:rate=5:duration=0.4 -c:v mpeg4";
    let url = bench.url(made(wide, "mkv")).await;
    let video = bench.media.probe(&url).await.unwrap();
    let cover = bench.media.cover(&url, &video).await.unwrap();
    // 607 and 202.5 rounded to even.
    assert_eq!(jpeg_size(&cover.large), (1080, 608));
    assert_eq!(jpeg_size(&cover.small), (360, 202));
}

#[tokio::test]
async fn what_is_no_video_is_refused_with_its_reason() {
    let bench = Bench::set_up().await;
    let jpg = made("-f lavfi -i testsrc=duration=1 -frames:v 1", "jpg");
    let gif = made("-f lavfi -i testsrc=rate=5:duration=1", "gif");
    for (name, file) in [
        ("text", files::text()),
        ("png", files::picture()),
        ("jpg", jpg),
        ("gif", gif),
    ] {
        assert_eq!(bench.refusal(file).await, Refusal::UnknownFormat, "{name}");
    }
    assert_eq!(
        bench.refusal(files::audio_only()).await,
        Refusal::NoVideoStream
    );
}

#[tokio::test]
async fn a_duration_that_the_header_lacks_is_found_by_reading() {
    let bench = Bench::set_up().await;
    let film = "-f lavfi -i testsrc=rate=10:duration=2 -c:v libvpx -deadline realtime";
    let late =
        "-f lavfi -i testsrc=rate=10:duration=2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    for (name, file) in [
        ("live", made(&format!("{film} -live 1"), "webm")),
        ("to a pipe, webm", piped(&format!("{film} -f webm"))),
        ("to a pipe, mkv", piped(&format!("{film} -f matroska"))),
        (
            "a late start",
            made(&format!("{late} -output_ts_offset 36000"), "mkv"),
        ),
    ] {
        let probe = bench.probe(file).await.expect(name);
        assert!(
            (1800..=2200).contains(&probe.duration_ms),
            "{name}: {probe:?}"
        );
    }
}

#[tokio::test]
async fn pixels_become_square_before_the_picture_is_turned() {
    let bench = Bench::set_up().await;
    let film = "-f lavfi -i testsrc=size=720x576:rate=5:duration=1 -vf setsar=64/45 -c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    let film = made(film, "mp4");
    let probe = bench.probe(film.clone()).await.unwrap();
    assert_eq!((probe.width, probe.height), (1024, 576));
    let url = bench.url(turned(&film)).await;
    let probe = bench.media.probe(&url).await.unwrap();
    assert_eq!((probe.width, probe.height), (576, 1024));
    let cover = bench.media.cover(&url, &probe).await.unwrap();
    assert_eq!(jpeg_size(&cover.large), (576, 1024));
}

/// The mean colour of a JPEG.
fn mean_colour(jpeg: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picture.jpg");
    std::fs::write(&path, jpeg).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&path)
        .args("-vf scale=1:1:flags=area,format=rgb24 -f rawvideo -".split(' '))
        .output()
        .unwrap();
    output.stdout
}

#[tokio::test]
async fn green_is_green_by_whichever_matrix_the_file_says() {
    let bench = Bench::set_up().await;
    for matrix in ["bt709", "smpte170m"] {
        let colours = if matrix == "bt709" { "bt709" } else { "bt601" };
        // A corner of white, so that there is something to see.
        let film = format!(
            "-f lavfi -i color=0x00C000:size=640x360:rate=5:duration=2 -vf scale=out_color_matrix={colours},format=yuv420p \
             -colorspace {matrix} -c:v libx264 -preset ultrafast"
        );
        let url = bench.url(made(&film, "mp4")).await;
        let probe = bench.media.probe(&url).await.unwrap();
        let cover = bench.media.cover(&url, &probe).await.unwrap();
        let [red, green, blue] = mean_colour(&cover.large)[..] else {
            panic!("a colour")
        };
        assert!(red < 12 && blue < 12, "{matrix}: {red} {green} {blue}");
        assert!(
            (182..=202).contains(&green),
            "{matrix}: {red} {green} {blue}"
        );
    }
}

/// The PSNR of two pictures of one size, in dB.
fn psnr(one: &[u8], other: &[u8]) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let paths = ["one.jpg", "other.jpg"].map(|name| directory.path().join(name));
    for (path, picture) in paths.iter().zip([one, other]) {
        std::fs::write(path, picture).unwrap();
    }
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-i"])
        .arg(&paths[0])
        .arg("-i")
        .arg(&paths[1])
        .args(["-lavfi", "psnr", "-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, average) = said.split_once("average:").expect(&said);
    average.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_cover_of_an_hdr_film_looks_like_that_of_its_sdr_original() {
    let bench = Bench::set_up().await;
    let sdr = "-f lavfi -i testsrc2=size=320x180:rate=5:duration=2 -vf scale=out_color_matrix=bt709,format=yuv420p \
               -colorspace bt709 -color_primaries bt709 -color_trc bt709 -c:v libx264 -preset ultrafast";
    let sdr = made(sdr, "mp4");
    let cover = async |file: Vec<u8>| {
        let url = bench.url(file).await;
        let probe = bench.media.probe(&url).await.unwrap();
        bench.media.cover(&url, &probe).await.unwrap().large
    };
    let original = cover(sdr.clone()).await;
    let source = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(source.path(), &sdr).unwrap();
    for transfer in ["arib-std-b67", "smpte2084"] {
        let hdr = format!(
            "-i {} -vf zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020:t={transfer}:m=bt2020nc:r=tv:npl=203,format=yuv420p10le \
             -c:v libx265 -preset ultrafast -x265-params log-level=none -colorspace bt2020nc -color_primaries bt2020 -color_trc {transfer}",
            source.path().display()
        );
        let hdr = cover(made(&hdr, "mp4")).await;
        let likeness = psnr(&original, &hdr);
        assert!(likeness >= 20.0, "{transfer}: {likeness} dB");
    }
}

#[tokio::test]
async fn black_before_the_content_is_passed_over() {
    let bench = Bench::set_up().await;
    for black_s in ["1.5", "4"] {
        let film = format!(
            "-f lavfi -i color=black:size=320x180:rate=10:duration={black_s} -f lavfi -i testsrc=size=320x180:rate=10:duration=2 \
             -filter_complex [0:v]format=yuv420p,setsar=1[a];[1:v]format=yuv420p,setsar=1[b];[a][b]concat=n=2 -c:v libx264 -preset ultrafast"
        );
        let url = bench.url(made(&film, "mp4")).await;
        let probe = bench.media.probe(&url).await.unwrap();
        let cover = bench.media.cover(&url, &probe).await.unwrap();
        let colour = mean_colour(&cover.large);
        assert!(
            colour.iter().any(|part| *part > 60),
            "{black_s}: {colour:?}"
        );
    }
    let black = "-f lavfi -i color=black:size=320x180:rate=10:duration=2 -pix_fmt yuv420p -c:v libx264 -preset ultrafast";
    let url = bench.url(made(black, "mp4")).await;
    let probe = bench.media.probe(&url).await.unwrap();
    jpeg_size(&bench.media.cover(&url, &probe).await.unwrap().large);
}

#[tokio::test]
async fn a_video_beyond_its_bounds_is_refused_with_the_bound() {
    let bench = Bench::with(|settings| {
        settings.media.max_duration_s = 10;
        settings.media.max_pixels = 180 * 320;
        settings.media.max_streams = 2;
    })
    .await;
    bench.probe(files::mp4()).await.unwrap();
    let encode = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    let lavfi = |size: &str, duration: u32| {
        format!("-f lavfi -i color=size={size}:rate=1:duration={duration}")
    };
    for (arguments, expected) in [
        (
            format!("{} {encode}", lavfi("16x16", 11)),
            Refusal::TooLong(10),
        ),
        (
            format!("{} {encode}", lavfi("182x320", 1)),
            Refusal::TooManyPixels(180 * 320),
        ),
        (
            format!("{} {encode} -map 0 -map 0 -map 0", lavfi("16x16", 1)),
            Refusal::TooManyStreams(2),
        ),
    ] {
        assert_eq!(bench.refusal(made(&arguments, "mp4")).await, expected);
    }
}

#[tokio::test]
async fn a_song_with_a_picture_attached_is_a_still_picture() {
    let bench = Bench::set_up().await;
    let song = "-f lavfi -i sine=duration=1 -f lavfi -i testsrc=rate=1:duration=1 -map 0 -map 1 -c:a aac -c:v png \
                -frames:v 1 -disposition:v attached_pic";
    let song = made(song, "m4a");
    assert_eq!(bench.refusal(song).await, Refusal::StillPicture);
}

#[tokio::test]
async fn a_video_that_cannot_be_decoded_is_refused_when_its_cover_is_taken() {
    let bench = Bench::set_up().await;
    let mut file = files::mp4();
    // Samples of noise behind an index that is well.
    let mdat = file.windows(4).position(|kind| kind == b"mdat").unwrap() + 4;
    file[mdat..].fill(0x55);
    let url = bench.url(file).await;
    let video = Probe {
        duration_ms: 1000,
        width: 180,
        height: 320,
        ..Probe::default()
    };
    let cover = bench.media.cover(&url, &video).await;
    assert_eq!(refusal(cover), Refusal::Undecodable);
}
