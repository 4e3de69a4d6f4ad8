//! Drawn pictures are pictures.

use super::*;
use crate::pictures::ffmpeg;

#[tokio::test]
async fn every_drawn_picture_can_be_decoded() {
    let letters = GLYPHS.iter().map(|(letter, _)| letter.to_string());
    for (id, name) in (0..).zip(letters.chain(["好".to_owned(), String::new()])) {
        let drawn = DefaultPicture::of(id, &name);
        // What decodes others' pictures decodes these.
        ffmpeg::encode(&drawn.avatar(), 64).await.unwrap();
    }
    ffmpeg::encode(&DefaultPicture::of(1, "").background(), 64)
        .await
        .unwrap();
}

#[test]
fn the_colour_is_of_the_id_and_the_letter_of_the_name() {
    assert_eq!(
        DefaultPicture::of(1, "alice").avatar_key(),
        "pictures/drawn/1-1-A.png"
    );
    assert_eq!(
        DefaultPicture::of(13, "Bob").background_key(),
        "pictures/drawn/1-1-background.png"
    );
    assert_eq!(
        DefaultPicture::of(2, "小明").avatar_key(),
        "pictures/drawn/1-2-person.png"
    );
    assert_ne!(
        DefaultPicture::of(1, "a").avatar(),
        DefaultPicture::of(2, "a").avatar()
    );
    assert_ne!(
        DefaultPicture::of(1, "a").avatar(),
        DefaultPicture::of(1, "b").avatar()
    );
}
