//! Names in the object store: `videos/<UUIDv7>.<extension>`, its cover `covers/<the same UUID>.jpg`. The UUID tells when it was made.

use std::time::{Duration, SystemTime};

use idl::video::Container;
use uuid::Uuid;

/// Type of every cover.
pub(crate) const COVER_TYPE: &str = "image/jpeg";

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

/// A key that nobody has, and the content type of what will be stored under it.
pub(crate) fn new(container: Container) -> (String, &'static str) {
    let (extension, content_type) = kind(container);
    (
        format!("videos/{}.{extension}", Uuid::now_v7()),
        content_type,
    )
}

/// The key of the cover of the video at `object_key`; none when that is no key of ours.
pub(crate) fn cover(object_key: &str) -> Option<String> {
    id(object_key).map(|id| format!("covers/{id}.jpg"))
}

/// How long ago the key was made; none when it is no key of ours.
pub(crate) fn age(object_key: &str) -> Option<Duration> {
    let (seconds, nanos) = id(object_key)?.get_timestamp()?.to_unix();
    let made = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))?;
    // Clocks of two instances may differ a little: a key from the future is new.
    Some(made.elapsed().unwrap_or_default())
}

fn id(object_key: &str) -> Option<Uuid> {
    let (id, _) = object_key.strip_prefix("videos/")?.split_once('.')?;
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
        let name = key.strip_prefix("videos/").unwrap();
        let name = name.strip_suffix(".mov").unwrap();
        assert_eq!(cover(&key).unwrap(), format!("covers/{name}.jpg"));
    }

    #[test]
    fn the_age_is_read_from_the_key() {
        let key = "videos/01890a5d-ac96-774b-bcce-b302099a8057.mp4";
        assert!(age(key).unwrap() > Duration::from_secs(86_400));
    }

    #[test]
    fn what_is_no_key_of_ours_has_neither() {
        for key in ["", "videos/", "videos/x.mp4", "../videos/x.mp4"] {
            assert_eq!((age(key), cover(key)), (None, None), "{key}");
        }
    }
}
