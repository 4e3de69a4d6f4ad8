//! Codecs, containers and oddities: each upload plays in headless Chromium in the end, or is refused with a fitting reason.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{System, eventually, media};

use crate::{
    browser::{drive, is_there},
    shapes::videos,
    store::video_objects,
    system_builder,
};

/// By when all jobs are done, on a machine whose cores are busy.
const DONE: Duration = Duration::from_secs(300);

const PICTURES: &str = "-f lavfi -i testsrc2=size=160x120:rate=10:duration=1";
const SOUND: &str = "-f lavfi -i sine=frequency=440:duration=1";
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
const AAC: &str = "-c:a aac";

enum Expected {
    /// It plays; whether with sound.
    Plays(bool),
    /// The reason has this word.
    Refused(&'static str),
}

use Expected::{Plays, Refused};

/// Files as ffmpeg makes them: name, arguments, what becomes of it.
fn made() -> Vec<(&'static str, String, Expected)> {
    let film = |encoders: &str| format!("{PICTURES} {SOUND} -shortest {encoders}");
    let silent = |encoders: &str| format!("{PICTURES} {encoders}");
    let h265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none";
    let hdr = |transfer: &str| {
        format!(
            "{h265} -pix_fmt yuv420p10le -color_primaries bt2020 -colorspace bt2020nc -color_trc {transfer} -tag:v hvc1 {AAC}"
        )
    };
    vec![
        ("h264-aac.mp4", film(&format!("{H264} {AAC}")), Plays(true)),
        (
            "h264-mp3.mp4",
            film(&format!("{H264} -c:a libmp3lame")),
            Plays(true),
        ),
        ("h264-silent.mp4", silent(H264), Plays(false)),
        ("h264-aac.mov", film(&format!("{H264} {AAC}")), Plays(true)),
        ("h264-aac.mkv", film(&format!("{H264} {AAC}")), Plays(true)),
        (
            "h264-opus.mp4",
            film(&format!("{H264} -c:a libopus")),
            Plays(true),
        ),
        (
            "h264-ac3.mp4",
            film(&format!("{H264} -c:a ac3")),
            Plays(true),
        ),
        (
            "h264-pcm.mov",
            film(&format!("{H264} -c:a pcm_s16le")),
            Plays(true),
        ),
        (
            "h264-flac.mkv",
            film(&format!("{H264} -c:a flac")),
            Plays(true),
        ),
        (
            "h264-10bit.mp4",
            silent("-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le"),
            Plays(false),
        ),
        (
            "h264-422.mp4",
            silent("-c:v libx264 -preset ultrafast -pix_fmt yuv422p"),
            Plays(false),
        ),
        (
            "h264-444.mp4",
            silent("-c:v libx264 -preset ultrafast -pix_fmt yuv444p"),
            Plays(false),
        ),
        (
            "h264-interlaced.mp4",
            silent(&format!("{H264} -x264-params tff=1")),
            Plays(false),
        ),
        (
            "h264-fragments.mp4",
            film(&format!("{H264} {AAC} -movflags frag_keyframe+empty_moov")),
            Plays(true),
        ),
        (
            "h264-timecode.mov",
            film(&format!("{H264} {AAC} -timecode 01:00:00:00")),
            Plays(true),
        ),
        (
            "hevc-aac.mp4",
            film(&format!("{h265} -pix_fmt yuv420p -tag:v hvc1 {AAC}")),
            Plays(true),
        ),
        ("hevc-hlg.mp4", film(&hdr("arib-std-b67")), Plays(true)),
        ("hevc-pq.mp4", film(&hdr("smpte2084")), Plays(true)),
        (
            "vp8-vorbis.webm",
            film("-c:v libvpx -deadline realtime -c:a libvorbis"),
            Plays(true),
        ),
        (
            "vp9-opus.webm",
            film("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"),
            Plays(true),
        ),
        (
            "vp8-live.webm",
            film("-c:v libvpx -deadline realtime -c:a libopus -live 1"),
            Plays(true),
        ),
        (
            "vp9-10bit.webm",
            silent("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p10le"),
            Plays(false),
        ),
        (
            "vp9-aac.mkv",
            film("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a aac"),
            Plays(true),
        ),
        (
            "av1-opus.webm",
            film("-c:v libaom-av1 -cpu-used 8 -usage realtime -c:a libopus"),
            Plays(true),
        ),
        (
            "av1.mp4",
            silent("-c:v libaom-av1 -cpu-used 8 -usage realtime"),
            Plays(false),
        ),
        ("mpeg4.mp4", film(&format!("-c:v mpeg4 {AAC}")), Plays(true)),
        ("mpeg4-ac3.mkv", film("-c:v mpeg4 -c:a ac3"), Plays(true)),
        (
            "mpeg2.mkv",
            film("-c:v mpeg2video -r 25 -c:a mp2"),
            Plays(true),
        ),
        ("mjpeg.mov", film("-c:v mjpeg -c:a pcm_s16le"), Plays(true)),
        (
            "h263.mov",
            "-f lavfi -i testsrc2=size=176x144:rate=10:duration=1 -c:v h263".to_owned(),
            Plays(false),
        ),
        (
            "prores.mov",
            film("-c:v prores_ks -c:a pcm_s16le"),
            Plays(true),
        ),
        ("ffv1.mkv", silent("-c:v ffv1"), Plays(false)),
        (
            "sar.mp4",
            silent(&format!("-vf setsar=64/45 {H264}")),
            Plays(false),
        ),
        (
            "fast.mp4",
            format!("-f lavfi -i testsrc2=size=160x120:rate=240:duration=0.5 {H264}"),
            Plays(false),
        ),
        (
            "thin.mp4",
            format!("-f lavfi -i testsrc2=size=2x2048:rate=5:duration=1 {H264}"),
            Plays(false),
        ),
        (
            "odd.mkv",
            "-f lavfi -i testsrc2=size=161x121:rate=10:duration=1 -c:v mjpeg".to_owned(),
            Plays(false),
        ),
        (
            "variable.mp4",
            silent(&format!("-vf select='gt(mod(n,4),1)' -fps_mode vfr {H264}")),
            Plays(false),
        ),
        (
            "late.mkv",
            film(&format!("{H264} {AAC} -output_ts_offset 36000")),
            Plays(true),
        ),
        (
            "two-tracks.mp4",
            format!(
                "{PICTURES} -f lavfi -i testsrc2=size=80x60:rate=10:duration=1 -map 1 -map 0 {H264} -disposition:v:0 0 -disposition:v:1 default"
            ),
            Plays(false),
        ),
        (
            "encrypted.mp4",
            silent(&format!(
                "{H264} -encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb \
                 -encryption_kid a7e61c373e219033c21091fa607bf3b8"
            )),
            Refused("encrypted"),
        ),
        (
            "still.avif",
            format!("{PICTURES} -frames:v 1 -c:v libaom-av1 -cpu-used 8 -still-picture 1"),
            Refused("photo"),
        ),
        (
            "song.m4a",
            format!("{SOUND} {AAC}"),
            Refused("video stream"),
        ),
    ]
}

/// Files that ffmpeg doesn't make.
fn others() -> Vec<(&'static str, Vec<u8>, Expected)> {
    let with = |file: Vec<u8>, tail: &[u8]| [&file, tail].concat();
    vec![
        ("mp4 and 4 zeros", with(media::mp4(), &[0; 4]), Plays(true)),
        (
            "mp4 and many zeros",
            with(media::mp4(), &[0; 65_536]),
            Plays(true),
        ),
        (
            "mp4 and text",
            with(media::mp4(), b"sent by a messenger"),
            Plays(true),
        ),
        ("mkv and zeros", with(media::mkv(), &[0; 1000]), Plays(true)),
        ("a film with places", media::with_place(), Plays(true)),
        (
            "cut to a third, with a new size",
            media::cut_and_resized(),
            Refused("cut short"),
        ),
        ("a photo", media::photo(), Refused("photo")),
        ("text", media::text(), Refused("is expected")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_upload_plays_in_a_browser_or_is_refused_with_its_reason() {
    if !is_there() {
        return;
    }
    let system = system_builder()
        .instances("transcoder", 1)
        .set("media.max_unfinished", 100)
        .set("transcoder.retry_pause_s", 0)
        .start()
        .await;
    let client = system.client();
    let author = client.new_account().await;
    let made = made().into_iter().map(|(name, arguments, expected)| {
        let file = media::made(&format!("matrix-{name}"), &arguments);
        (name, file, expected)
    });
    let mut sounds = Vec::new();
    for (name, file, expected) in made.chain(others()) {
        let reply = client.publish(&author.token, name, file).await;
        match expected {
            Plays(has_sound) => {
                assert_eq!(reply.try_code(), Some(0), "{name}: {}", reply.text);
                sounds.push((name, has_sound));
            }
            Refused(word) => {
                assert_eq!(
                    (reply.http, reply.try_code()),
                    (200, Some(10010)),
                    "{name}: {}",
                    reply.text
                );
                assert!(reply.message().contains(word), "{name}: {}", reply.text);
            }
        }
    }
    let own = [("token", author.token.as_str())];
    let works = eventually(DONE, "an end of the processing", async || {
        let works = videos(&client.publish_list(&own).await.ok());
        let is_under_way = works.iter().any(|video| video["state"] == "processing");
        (!is_under_way).then_some(works)
    })
    .await;
    let unplayable: Vec<&Value> = works
        .iter()
        .filter(|video| video["state"] != "ready")
        .collect();
    assert!(unplayable.is_empty(), "{unplayable:#?}");
    assert_eq!(works.len(), sounds.len());
    let films: Vec<Value> = sounds
        .iter()
        .map(|(name, has_sound)| {
            let video = works
                .iter()
                .find(|video| video["title"] == *name)
                .expect(name);
            json!([name, video["play_url"], has_sound])
        })
        .collect();
    let films = Value::from(films).to_string();
    let output = drive("plays.mjs", &[("FILMS", films.as_ref())]).await;
    assert!(output.status.success(), "these don't play: see above");
    assert_nothing_is_left(&system).await;
}

/// Each object is a video's, or its row says that it is to be removed.
async fn assert_nothing_is_left(system: &System) {
    let keys =
        "SELECT object_key FROM videos UNION ALL SELECT object_key FROM uploads WHERE aborting = 1";
    let known: Vec<String> = system.database().column(keys).await;
    let name = |key: &str| key.split(['/', '.']).nth(1).unwrap_or_default().to_owned();
    let known: Vec<String> = known.iter().map(|key| name(key)).collect();
    let keys = video_objects(system).await;
    let left: Vec<&String> = keys
        .iter()
        .filter(|key| !known.contains(&name(key)))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let open = "SELECT COUNT(*) FROM uploads WHERE aborting = 0";
    assert_eq!(system.database().value::<i64>(open).await, 0);
    assert_eq!(system.bucket().open_uploads().await, [""; 0]);
}
