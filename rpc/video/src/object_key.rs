//! Keys in the object store: `videos/<UUIDv7>.<extension>`, for its small rendition `videos/<the same UUID>.small.mp4`, and for its covers
//! `covers/<the same UUID>.jpg` and `covers/<the same UUID>.small.jpg`. A UUIDv7 holds the time when it was made, so the order of the keys is
//! the order of time.

use std::time::{Duration, SystemTime};

use idl::video::Container;
use uuid::Uuid;

use crate::media::Format;

/// Type of every cover.
pub(crate) const COVER_TYPE: &str = "image/jpeg";

/// Under which all videos are.
pub(crate) const VIDEOS: &str = "videos/";
/// Under which all covers are.
pub(crate) const COVERS: &str = "covers/";
const COVER_EXTENSION: &str = "jpg";
const SMALL: &str = "small";

/// Every container that a video may be in.
const CONTAINERS: [Container; 4] = [
    Container::MP4,
    Container::QUICKTIME,
    Container::WEBM,
    Container::MATROSKA,
];

/// Extension and content type of a container's objects.
fn kind(container: Container) -> (&'static str, &'static str) {
    match container {
        Container::QUICKTIME => ("mov", "video/quicktime"),
        Container::WEBM => ("webm", "video/webm"),
        Container::MATROSKA => ("mkv", "video/x-matroska"),
        // Validation let no other value pass.
        _ => ("mp4", "video/mp4"),
    }
}

/// A new key, and the content type of its object.
pub(crate) fn new(container: Container) -> (String, &'static str) {
    let (extension, content_type) = kind(container);
    (
        format!("{VIDEOS}{}.{extension}", Uuid::now_v7()),
        content_type,
    )
}

/// A new name for what is derived from an upload.
pub(crate) fn new_token() -> String {
    Uuid::now_v7().to_string()
}

/// The key of what is derived under this name, and the content type of its object.
pub(crate) fn derived(token: &str, format: Format) -> (String, &'static str) {
    let (extension, content_type) = kind(match format {
        Format::Mp4 => Container::MP4,
        Format::WebM => Container::WEBM,
    });
    (format!("{VIDEOS}{token}.{extension}"), content_type)
}

/// The key of the small rendition of the video at `object_key`; none if that isn't a key of ours.
pub(crate) fn small(object_key: &str) -> Option<String> {
    id(object_key, VIDEOS).map(|id| format!("{VIDEOS}{id}.{SMALL}.mp4"))
}

/// The key of the small cover beside the one at `cover_key`; none if that isn't a key of ours.
pub(crate) fn small_cover(cover_key: &str) -> Option<String> {
    id(cover_key, COVERS).map(|id| format!("{COVERS}{id}.{SMALL}.{COVER_EXTENSION}"))
}

/// The key of the cover of the video at `object_key`; none if that isn't a key of ours.
pub(crate) fn cover(object_key: &str) -> Option<String> {
    id(object_key, VIDEOS).map(|id| format!("{COVERS}{id}.{COVER_EXTENSION}"))
}

/// The keys of the videos that the object `key` can belong to: itself, or those whose cover or small rendition it is.
pub(crate) fn owners(key: &str) -> Vec<String> {
    let is_small = key.ends_with(".small.mp4");
    let small = || id(key, VIDEOS).filter(|_| is_small);
    match id(key, COVERS).or_else(small) {
        None => vec![key.to_owned()],
        Some(id) => CONTAINERS
            .map(|container| format!("{VIDEOS}{id}.{}", kind(container).0))
            .into(),
    }
}

/// The age of the key of a video or a cover; none if it isn't a key of ours.
pub(crate) fn age(key: &str) -> Option<Duration> {
    let id = id(key, VIDEOS).or_else(|| id(key, COVERS))?;
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let made = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))?;
    // Clocks differ a little: a key from the future is new.
    Some(made.elapsed().unwrap_or_default())
}

fn id(key: &str, prefix: &str) -> Option<Uuid> {
    let (id, _) = key.strip_prefix(prefix)?.split_once('.')?;
    Uuid::try_parse(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_knows_its_cover_and_its_age() {
        let (key, content_type) = new(Container::QUICKTIME);
        assert_eq!(content_type, "video/quicktime");
        assert!(age(&key).unwrap() < Duration::from_secs(5));
        let name = key.strip_prefix(VIDEOS).unwrap();
        let name = name.strip_suffix(".mov").unwrap();
        assert_eq!(cover(&key).unwrap(), format!("covers/{name}.jpg"));
    }

    #[test]
    fn the_age_is_read_from_the_key() {
        for key in [
            "videos/01890a5d-ac96-774b-bcce-b302099a8057.mp4",
            "covers/01890a5d-ac96-774b-bcce-b302099a8057.jpg",
        ] {
            assert!(age(key).unwrap() > Duration::from_secs(86_400), "{key}");
        }
    }

    #[test]
    fn a_cover_is_of_a_video_in_any_container() {
        for container in CONTAINERS {
            let (key, _) = new(container);
            assert!(owners(&cover(&key).unwrap()).contains(&key), "{key}");
            assert_eq!(owners(&key), [key]);
        }
    }

    #[test]
    fn what_is_derived_shares_a_name_and_belongs_to_one_video() {
        let token = new_token();
        for format in [Format::Mp4, Format::WebM] {
            let (key, _) = derived(&token, format);
            let cover = cover(&key).unwrap();
            for beside in [small(&key).unwrap(), small_cover(&cover).unwrap(), cover] {
                assert!(beside.contains(&token), "{beside}");
                assert!(owners(&beside).contains(&key), "{beside}");
                assert!(age(&beside).is_some(), "{beside}");
            }
        }
    }

    #[test]
    fn what_is_no_key_of_ours_has_neither() {
        for key in ["", VIDEOS, COVERS, "videos/x.mp4", "../videos/x.mp4"] {
            assert_eq!((age(key), cover(key)), (None, None), "{key}");
        }
    }
}
