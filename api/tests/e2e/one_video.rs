//! One video, as a link leads to it.

use crate::{
    scene::{publish_video, seen_by},
    shapes::assert_video,
    shared_system,
};

#[tokio::test]
async fn a_link_shows_the_video_as_its_lists_do_with_what_was_just_written() {
    let system = shared_system().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let video_id = publish_video(&client, &author).await;
    client.like(&fan.token, video_id).await.ok();
    client.comment(&fan.token, video_id, "Seen").await.ok();
    for viewer in [&author, &fan] {
        let mut one = system.client().video(video_id, &viewer.token).await.ok()["video"].take();
        assert_video(&one);
        let mut work = seen_by(&system, viewer, &author, video_id).await;
        assert_eq!(one["is_favorite"], viewer.user_id == fan.user_id);
        for url in ["play_url", "cover_url"] {
            // Signed anew every now and then.
            (one[url], work[url]) = (().into(), ().into());
        }
        assert_eq!(one, work);
    }
    let anonymous = client.video(video_id, "").await.ok();
    assert_eq!(anonymous["video"]["favorite_count"], 1);
    assert_eq!(anonymous["video"]["is_favorite"], false);
}
