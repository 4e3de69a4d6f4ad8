//! Shared reads: a page that is the same for everybody is read, rendered and compressed once for all who ask at that moment.
//!
//! A flight reads the marks of all who joined, and takes the strictest: then one read on the primary serves them all, where each reader
//! that a late replica can't serve would else cost one of their own. What is a viewer's own, the likes, is read for them alone and by
//! their own mark.

use std::sync::Arc;

use marks::Reader;
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema,
    openapi::{RefOr, Schema},
};
use volo_http::response::Response;

use crate::{
    app::App,
    i18n::Language,
    objects::{FeedPage, Video, VideoPage},
    page::liked,
    rendered::Page,
    response::success,
    route::Example,
};

/// A page that consists of videos.
pub trait Videos: Clone {
    /// Those on the page.
    fn videos(&mut self) -> &mut [Video];
}

impl Videos for FeedPage {
    fn videos(&mut self) -> &mut [Video] {
        &mut self.video_list
    }
}

impl Videos for VideoPage {
    fn videos(&mut self) -> &mut [Video] {
        &mut self.video_list
    }
}

impl<T: Videos> Shared<T> {
    /// The page with the viewer's likes: the shared one, if they like nothing on it.
    pub async fn shown_to(page: Arc<Page<T>>, app: &App, viewer: Option<i64>) -> Self {
        let Some(viewer) = viewer else {
            return Self::Rendered(page);
        };
        let mut content = page.content.clone();
        let ids = content.videos().iter().map(Video::id).collect();
        let reader = Reader {
            affinity: Some(viewer),
            // Everybody who joined the flight is there.
            sees: page
                .sees
                .get(&viewer)
                .cloned()
                .unwrap_or(Reader::STRICT.sees),
        };
        let liked = service::reading(&reader, liked(app, viewer, ids)).await;
        if liked.is_empty() {
            return Self::Rendered(page);
        }
        for video in content.videos() {
            video.set_favorite(liked.contains(&video.id()));
        }
        Self::Content(content)
    }
}

/// The content of a reply: one's own, or a page that is shared.
pub enum Shared<T> {
    /// For this request alone.
    Content(T),
    /// Rendered before.
    Rendered(Arc<Page<T>>),
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Content(content) => content.serialize(serializer),
            Self::Rendered(page) => page.content.serialize(serializer),
        }
    }
}

impl<T: PartialSchema> PartialSchema for Shared<T> {
    fn schema() -> RefOr<Schema> {
        T::schema()
    }
}

impl<T: Example> Example for Shared<T> {
    fn example() -> Self {
        Self::Content(T::example())
    }

    fn reply(self, language: Language, accepts_gzip: bool) -> Response {
        match self {
            Self::Content(content) => success(content, language),
            Self::Rendered(page) => page.reply(language, accepts_gzip),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, io::Read as _};

    use bytes::Bytes;
    use flate2::read::GzDecoder;
    use http_body_util::BodyExt as _;

    use super::*;

    async fn bytes(response: Response) -> Bytes {
        response.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_shared_page_is_sent_as_if_it_were_rendered_for_each() {
        let page = Page::new(FeedPage::example(), HashMap::new());
        for language in [Language::English, Language::Chinese] {
            let own = success(FeedPage::example(), language);
            let shared = Shared::Rendered(page.clone()).reply(language, false);
            assert_eq!(own.headers(), shared.headers());
            assert_eq!(bytes(own).await, bytes(shared).await);
        }
    }

    #[tokio::test]
    async fn a_shared_page_is_compressed_once_for_all_of_a_language() {
        let mut long = FeedPage::example();
        long.video_list = vec![Video::example(); 30];
        let page = Page::new(long, HashMap::new());
        let reply = || Shared::Rendered(page.clone()).reply(Language::English, true);
        let response = reply();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        let (one, other) = (bytes(response).await, bytes(reply()).await);
        assert_eq!(one.as_ptr(), other.as_ptr());
        let mut plain = Vec::new();
        GzDecoder::new(&*one).read_to_end(&mut plain).unwrap();
        let own = Shared::Rendered(page.clone()).reply(Language::English, false);
        assert_eq!(bytes(own).await, plain);
    }
}
