//! Presigned URLs: with one, anybody can fetch one object for a while, without an account at the store.
//!
//! Signing makes no request. A presigned URL is a secret as long as it is valid: never log one.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::FutureExt;
use http::Method;
use minio::s3::{
    MinioClient,
    error::Error as S3Error,
    multimap_ext::{Multimap, MultimapExt as _},
    utils::UtcTime,
};

use crate::{StorageError, Store, url_cache::UrlCache};

const OPERATION: &str = "sign URL";

impl Store {
    /// A presigned URL at the public endpoint: anybody can fetch the object, whole or in ranges. It is valid for at least half of the TTL
    /// in the settings. All processes return the same URL for half a TTL, so that viewers can cache the object; `Cache-Control` lets them
    /// keep it for a TTL.
    pub fn play_url(&self, key: &str) -> Result<Arc<str>, StorageError> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        self.play_url_at(key, since_epoch.unwrap_or_default().as_secs())
    }

    fn play_url_at(&self, key: &str, now_s: u64) -> Result<Arc<str>, StorageError> {
        let UrlCache { signed, ttl_s } = self.url_cache();
        // The time of the signature is the last multiple of half a TTL, so all processes sign the same.
        let half_s = u64::from(ttl_s / 2).max(1);
        let as_of_s = now_s - now_s % half_s;
        if let Some((url, signed_s)) = signed.get(key)
            && signed_s == as_of_s
        {
            return Ok(url);
        }
        let time = UtcTime::from(UNIX_EPOCH + Duration::from_secs(as_of_s));
        // The object never changes under its key, and the URL is nobody else's to keep.
        let mut headers = Multimap::new();
        headers.add("response-cache-control", format!("private,max-age={ttl_s}"));
        let signed_url = self.sign(self.public(), key, time, *ttl_s, headers)?;
        let url: Arc<str> = sorted(&signed_url).into();
        signed.insert(key.into(), (Arc::clone(&url), as_of_s));
        Ok(url)
    }

    /// A URL at the internal endpoint for `ttl` (1 s to 7 days), for a program that this service starts.
    pub fn internal_url(&self, key: &str, ttl: Duration) -> Result<String, StorageError> {
        let ttl_s = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX).max(1);
        self.sign(
            self.client(),
            key,
            SystemTime::now().into(),
            ttl_s,
            Multimap::new(),
        )
    }

    fn sign(
        &self,
        client: &MinioClient,
        key: &str,
        time: UtcTime,
        ttl_s: u32,
        headers: Multimap,
    ) -> Result<String, StorageError> {
        let signed = async {
            let url = client
                .get_presigned_object_url(self.bucket(), key, Method::GET)?
                .extra_query_params(headers.clone())
                .expiry_seconds(ttl_s)
                .request_time(time)
                .build()
                .send()
                .await?
                .url;
            Ok::<_, S3Error>(url)
        };
        // It would wait only for the bucket's region, which the client knows.
        match signed.now_or_never() {
            Some(url) => url.map_err(|error| StorageError::from_s3(OPERATION, error)),
            None => Err(StorageError::refused(OPERATION, "region not known")),
        }
    }
}

/// Sorts the parameters of a URL: the library's order is random, but caches compare the text.
fn sorted(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let mut parameters: Vec<&str> = query.split('&').collect();
    parameters.sort_unstable();
    format!("{path}?{}", parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use settings::{ObjectStore, Secret};

    use super::*;

    /// A multiple of every half TTL below.
    const MIDNIGHT_S: u64 = 1_800_057_600;

    fn store(url_ttl_s: u32) -> Store {
        store_at("https://public", url_ttl_s)
    }

    fn store_at(public_endpoint: &str, url_ttl_s: u32) -> Store {
        Store::new(&ObjectStore {
            endpoint: "http://internal:9000".to_owned(),
            public_endpoint: public_endpoint.to_owned(),
            region: "eu-west-1".to_owned(),
            bucket: "videos".to_owned(),
            access_key: Secret::new("key"),
            secret_key: Secret::new("secret"),
            url_ttl_s,
            ca_file: None,
        })
        .unwrap()
    }

    fn parameter<'a>(url: &'a str, name: &str) -> &'a str {
        let (_, rest) = url.split_once(&format!("{name}=")).unwrap();
        rest.split('&').next().unwrap()
    }

    #[test]
    fn a_play_url_stays_the_same_for_half_its_ttl() {
        let (store, other) = (store(3600), store(3600));
        let at = |s: u64| store.play_url_at("v/1.mp4", MIDNIGHT_S + s).unwrap();
        let first = at(0);
        assert!(first.starts_with("https://public/videos/v/1.mp4?"));
        for s in [0, 1, 900, 1799] {
            assert!(Arc::ptr_eq(&first, &at(s)), "{s}");
            // Another process signs the same, whenever it does so.
            assert_eq!(first, other.play_url_at("v/1.mp4", MIDNIGHT_S + s).unwrap());
        }
        let second = at(1800);
        assert_ne!(first, second);
        assert!(Arc::ptr_eq(&second, &at(3599)));
        assert_ne!(first, store.play_url_at("v/2.mp4", MIDNIGHT_S).unwrap());
    }

    #[test]
    fn the_host_is_signed_as_browsers_send_it() {
        let as_sent = store_at("https://media.example.org", 600);
        let written = store_at("HTTPS://Media.Example.ORG", 600);
        let [as_sent, written] =
            [as_sent, written].map(|store| store.play_url_at("V/1.mp4", MIDNIGHT_S).unwrap());
        assert_eq!(as_sent, written);
        assert!(as_sent.starts_with("https://media.example.org/videos/V/1.mp4?"));
    }

    #[test]
    fn at_least_half_of_the_ttl_is_left() {
        for ttl_s in [60, 61, 3600, 86_400] {
            let store = store(ttl_s);
            let half_s = u64::from(ttl_s / 2);
            let start_s = MIDNIGHT_S - MIDNIGHT_S % half_s;
            let signed = |s: u64| {
                let url = store.play_url_at("key", start_s + s).unwrap();
                assert_eq!(parameter(&url, "X-Amz-Expires"), ttl_s.to_string());
                parameter(&url, "X-Amz-Date").to_owned()
            };
            assert_eq!(signed(0), "20270116T000000Z");
            assert_eq!(signed(half_s - 1), signed(0));
            assert!(signed(half_s) > signed(0));
        }
    }

    #[test]
    fn the_region_of_the_settings_is_signed_without_asking() {
        let url = store(600)
            .internal_url("key", Duration::from_secs(60))
            .unwrap();
        assert!(url.starts_with("http://internal:9000/videos/key?"));
        assert!(parameter(&url, "X-Amz-Credential").contains("eu-west-1"));
    }

    #[test]
    fn an_empty_key_is_refused() {
        let url = store(600).play_url("");
        assert!(matches!(url, Err(StorageError::Refused { .. })), "{url:?}");
    }
}
