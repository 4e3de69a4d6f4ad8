//! Shared reads: a page that is the same for everybody is read, rendered and compressed once for all who ask at that moment.
//!
//! A flight reads the marks of all who joined. Those who have just written share a read that shows what they wrote, all others one from
//! the page's own replica. A viewer's own likes and follows are read separately, in a call that they share with other viewers who ask at
//! that moment ([`crate::flags`]).

use std::sync::Arc;

use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema,
    openapi::{RefOr, Schema},
};
use volo_http::response::Response;

use crate::{
    app::App,
    error::ApiError,
    flags::{Flags, HasFlags},
    flights::ANONYMOUS,
    objects::{CommentPage, FeedPage, VideoPage},
    page::flags,
    rendered::{Page, SharedPage},
    response::{Negotiated, success},
    route::Example,
};

impl HasFlags for FeedPage {
    fn video_ids(&self) -> Vec<i64> {
        self.video_list.video_ids()
    }

    fn user_ids(&self) -> Vec<i64> {
        self.video_list.user_ids()
    }

    fn set_flags(&mut self, flags: &Flags) {
        self.video_list.set_flags(flags);
    }
}

impl HasFlags for VideoPage {
    fn video_ids(&self) -> Vec<i64> {
        self.video_list.video_ids()
    }

    fn user_ids(&self) -> Vec<i64> {
        self.video_list.user_ids()
    }

    fn set_flags(&mut self, flags: &Flags) {
        self.video_list.set_flags(flags);
    }
}

impl HasFlags for CommentPage {
    fn user_ids(&self) -> Vec<i64> {
        self.comment_list.user_ids()
    }

    fn set_flags(&mut self, flags: &Flags) {
        self.comment_list.set_flags(flags);
    }
}

impl<T: HasFlags + Clone + Serialize> Shared<T> {
    /// The page with the viewer's likes and follows: the shared one, if there are none on it.
    ///
    /// # Errors
    /// The viewer didn't join the flight.
    pub async fn shown_to(viewer: i64, page: &SharedPage<T>, app: &App) -> Result<Self, ApiError> {
        let (page, consistency) = page.of(viewer)?;
        if viewer == ANONYMOUS {
            return Ok(Self::Rendered(page));
        }
        let (video_ids, user_ids) = (page.content.video_ids(), page.content.user_ids());
        let flags = flags(app, viewer, consistency, video_ids, user_ids).await;
        if flags.is_empty() {
            return Ok(Self::Rendered(page));
        }
        let mut content = page.content.clone();
        content.set_flags(&flags);
        Ok(Self::Content(content))
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

    fn reply(self, negotiated: &Negotiated) -> Response {
        match self {
            Self::Content(content) => success(content, negotiated),
            Self::Rendered(page) => page.reply(negotiated),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use bytes::Bytes;
    use flate2::read::GzDecoder;
    use http_body_util::BodyExt as _;
    use idl::base::Code;
    use marks::{Consistency, StrictReason};

    use super::*;
    use crate::{i18n::Language, objects::Video, rendered::MarkedReads};

    fn negotiated(language: Language, accepts_gzip: bool) -> Negotiated {
        Negotiated {
            language,
            accepts_gzip,
            message: None,
        }
    }

    async fn bytes(response: Response) -> Bytes {
        response.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_shared_page_is_sent_as_if_it_were_rendered_for_each() {
        let page = Page::new(FeedPage::example());
        for language in [Language::English, Language::Chinese] {
            let message = Some(idl::proto::reply_of("/douyin/feed/"));
            for message in [None, message] {
                let negotiated = Negotiated {
                    message,
                    ..negotiated(language, false)
                };
                let own = success(FeedPage::example(), &negotiated);
                let shared = Shared::Rendered(page.clone()).reply(&negotiated);
                assert_eq!(own.headers(), shared.headers());
                assert_eq!(bytes(own).await, bytes(shared).await);
            }
        }
    }

    #[test]
    fn who_has_just_written_is_shown_another_reading_than_all_others() {
        let page = |next_time| -> Result<_, ApiError> {
            Ok(FeedPage {
                video_list: Vec::new(),
                next_time,
            })
        };
        let reads = MarkedReads {
            unmarked: Some(page(1)),
            marked: Some(page(2)),
            consistency: [
                (ANONYMOUS, Consistency::Any),
                (7, Consistency::All(StrictReason::Marked)),
            ]
            .into(),
        };
        let shared = SharedPage::render(reads);
        assert_eq!(shared.of(ANONYMOUS).unwrap().0.content.next_time, 1);
        assert_eq!(shared.of(7).unwrap().0.content.next_time, 2);
        assert!(shared.of(8).is_err(), "8 didn't join");
    }

    #[test]
    fn a_read_that_fails_for_a_writer_leaves_all_others_their_page() {
        let reads = MarkedReads {
            unmarked: Some(Ok(FeedPage::example())),
            marked: Some(Err(ApiError::new(Code::UNAVAILABLE))),
            consistency: [
                (ANONYMOUS, Consistency::Any),
                (7, Consistency::All(StrictReason::Marked)),
            ]
            .into(),
        };
        let shared = SharedPage::render(reads);
        assert!(shared.of(ANONYMOUS).is_ok());
        assert_eq!(shared.of(7).err().unwrap().code(), Code::UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_shared_page_is_compressed_once_for_all_of_a_language() {
        let mut long = FeedPage::example();
        long.video_list = vec![Video::example(); 30];
        let page = Page::new(long);
        let reply = || Shared::Rendered(page.clone()).reply(&negotiated(Language::English, true));
        let response = reply();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        let (one, other) = (bytes(response).await, bytes(reply()).await);
        assert_eq!(one.as_ptr(), other.as_ptr());
        let mut plain = Vec::new();
        GzDecoder::new(&*one).read_to_end(&mut plain).unwrap();
        let own = Shared::Rendered(page.clone()).reply(&negotiated(Language::English, false));
        assert_eq!(bytes(own).await, plain);
    }
}
