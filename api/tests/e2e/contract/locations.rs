//! The locations in which parameters travel.

use reqwest::{Method, RequestBuilder, multipart};
use serde_json::{Map, Value, json};
use testkit::Client;

/// How a client writes its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    Query,
    /// The token as a header.
    QueryAndBearer,
    Form,
    /// Numbers as numbers.
    Json,
    /// Numbers as strings, and no slash at the end of the path.
    JsonTexts,
    Multipart,
    /// Every other parameter in the query, the rest in a form.
    QueryAndForm,
    /// Every other parameter in the query, the rest in a JSON body.
    QueryAndJson,
    /// All in the query; the body has other values, which lose.
    QueryOverForm,
}

pub const LOCATIONS: [Location; 9] = [
    Location::Query,
    Location::QueryAndBearer,
    Location::Form,
    Location::Json,
    Location::JsonTexts,
    Location::Multipart,
    Location::QueryAndForm,
    Location::QueryAndJson,
    Location::QueryOverForm,
];

/// Parameters by name.
pub type Pairs = Vec<(&'static str, String)>;

impl Location {
    /// The request that has `pairs` here.
    pub fn request(
        self,
        client: &Client,
        method: &Method,
        path: &str,
        pairs: &[(&'static str, String)],
    ) -> RequestBuilder {
        let path = match self {
            Self::JsonTexts | Self::QueryAndForm => path.trim_end_matches('/'),
            _ => path,
        };
        let request = client.request(method.clone(), path);
        let (odd, even) = halves(pairs);
        match self {
            Self::Query => request.query(pairs),
            Self::QueryAndBearer => {
                let is_token = |pair: &&(&str, String)| pair.0 == "token";
                let token = pairs.iter().find(is_token);
                let rest: Vec<_> = pairs.iter().filter(|pair| !is_token(pair)).collect();
                let request = request.query(&rest);
                match token {
                    Some((_, token)) => request.bearer_auth(token),
                    None => request,
                }
            }
            Self::Form => request.form(pairs),
            Self::Json => request.json(&object(pairs, as_number)),
            Self::JsonTexts => request.json(&object(pairs, |text| json!(text))),
            Self::Multipart => {
                let form = pairs
                    .iter()
                    .fold(multipart::Form::new(), |form, (name, value)| {
                        form.text(*name, value.clone())
                    });
                request.multipart(form)
            }
            Self::QueryAndForm => request.query(&odd).form(&even),
            Self::QueryAndJson => request.query(&even).json(&object(&odd, as_number)),
            Self::QueryOverForm => {
                let losing: Vec<_> = pairs.iter().map(|(name, _)| (*name, "-1")).collect();
                request.query(pairs).form(&losing)
            }
        }
    }
}

fn halves(pairs: &[(&'static str, String)]) -> (Pairs, Pairs) {
    let (mut odd, mut even) = (Pairs::new(), Pairs::new());
    for (n, pair) in pairs.iter().enumerate() {
        if n % 2 == 0 { &mut odd } else { &mut even }.push(pair.clone());
    }
    (odd, even)
}

fn object(pairs: &[(&'static str, String)], written: fn(&str) -> Value) -> Value {
    let fields = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), written(value)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// A number where the text is one, as a client with typed fields sends it.
fn as_number(text: &str) -> Value {
    let number = serde_json::from_str(text).ok().filter(Value::is_number);
    number.unwrap_or_else(|| json!(text))
}
