//! Serves the contract as OpenAPI 3.1 (`/openapi.json`), made from the declarations of the routes.
//!
//! Here stands what no route can say: the text for all, the codes, the headers that every route reads, the ways to log in.
//! `api/openapi.json` is the snapshot; a test compares the two.

mod responses;

use std::{fmt::Write as _, sync::LazyLock};

use serde_json::{Map, Value};
use utoipa::openapi::{
    Components, ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi,
    OpenApiBuilder, PathItem, Paths, PathsBuilder, RefOr, Required, Schema, SecurityRequirement,
    Server,
    extensions::ExtensionsBuilder,
    path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
    schema::{ObjectBuilder, Type},
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::{Tag, TagBuilder},
};

use crate::{
    call::TokenUse,
    chat::{FriendUser, Message},
    error::ApiError,
    i18n::CODES,
    objects::{Comment, Rendition, User, Video},
    params::{Declared, ParameterLocation, types::TOKEN_PARAMETER},
    route::{READS, Route},
    routes::routes,
};

/// What groups the routes. A tag that isn't here stands at the end, without a description.
const TAGS: [(&str, &str); 8] = [
    ("feed", "Feeds"),
    ("user", "Accounts"),
    ("publish", "Videos"),
    ("favorite", "Likes"),
    ("comment", "Comments"),
    ("relation", "Follows and friends"),
    ("message", "Messages"),
    ("video", "A video by its id"),
];

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data";

/// The document as JSON, made once.
pub fn json() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| {
        // Strings, numbers and maps by strings always have a JSON form.
        let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
        text.push('\n');
        text
    });
    &JSON
}

fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Dousheng")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description()))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ));
    let routes = routes();
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([Server::new("/")]))
        .tags(Some(tags(&routes)))
        .paths(paths(&routes))
        .components(Some(components()))
        .build()
}

fn tags(routes: &[Route]) -> Vec<Tag> {
    let mut tags: Vec<(&str, Option<&str>)> = TAGS.map(|(tag, text)| (tag, Some(text))).into();
    for route in routes {
        if !tags.iter().any(|(tag, _)| *tag == route.tag()) {
            tags.push((route.tag(), None));
        }
    }
    let build = |(name, text)| TagBuilder::new().name(name).description(text).build();
    tags.into_iter().map(build).collect()
}

/// What holds for every route, with the table of codes.
fn description() -> String {
    let mut text = String::from(include_str!("description.md"));
    for (code, english, chinese) in CODES {
        let status = ApiError::new(code).http_status().as_u16();
        let number = code.inner();
        // Writing into a string doesn't fail.
        let _ = writeln!(text, "| {number} | {status} | {english} | {chinese} |");
    }
    text
}

fn components() -> Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The token of register or login."));
    let in_query =
        ApiKeyValue::with_description(TOKEN_PARAMETER.name, TOKEN_PARAMETER.description());
    let components = ComponentsBuilder::new()
        .schema_from::<User>()
        .schema_from::<Video>()
        .schema_from::<Rendition>()
        .schema_from::<Comment>()
        .schema_from::<FriendUser>()
        .schema_from::<Message>()
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
        .security_scheme("token", SecurityScheme::ApiKey(ApiKey::Query(in_query)));
    let mut components = components.build();
    for schema in components.schemas.values_mut() {
        if let RefOr::T(Schema::Object(object)) = schema {
            *object = responses::close(object.clone());
        }
    }
    components
}

fn paths(routes: &[Route]) -> Paths {
    let add = |paths: PathsBuilder, route: &Route| {
        let method = match route.methods {
            READS => HttpMethod::Get,
            _ => HttpMethod::Post,
        };
        paths.path(route.path, PathItem::new(method, operation(route)))
    };
    routes.iter().fold(PathsBuilder::new(), add).build()
}

fn operation(route: &Route) -> OperationBuilder {
    let id = route
        .path
        .trim_start_matches("/douyin/")
        .trim_end_matches('/')
        .replace('/', "_");
    let mut builder = OperationBuilder::new()
        .operation_id(Some(id))
        .tag(route.tag())
        .summary(Some(route.summary))
        .description(Some(route.description))
        .request_body(Some(body(route)))
        .responses(responses::responses(route));
    for parameter in route.parameters {
        if parameter.location == ParameterLocation::QueryOrBody {
            builder = builder.parameter(in_query(parameter));
        }
    }
    let language = header(
        "Accept-Language",
        "`zh` or `en`: the language of `status_msg`.",
    );
    builder = builder
        .parameter(language.example(Some("en".into())))
        .parameter(header(
            "X-Request-Id",
            "The reply's `X-Request-Id`, if it has 1 to 64 letters, digits, `-`, `_` and `.`; else one is made.",
        ));
    for parameter in route.parameters {
        if let ParameterLocation::Header(name) = parameter.location {
            let schema = (parameter.schema)();
            let header = header(name, parameter.description()).schema(Some(schema));
            builder = builder.parameter(header);
        }
    }
    let by = |scheme: &str| SecurityRequirement::new(scheme, [] as [&str; 0]);
    match route.token {
        TokenUse::Ignored => builder,
        TokenUse::Optional => builder.securities(Some([
            SecurityRequirement::default(),
            by("bearer"),
            by("token"),
        ])),
        TokenUse::Required => builder.securities(Some([by("bearer"), by("token")])),
    }
}

/// A header that is a string.
fn header(name: &str, description: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
}

/// Never required there, because the body may have it; `x-required` tells that one of them must.
fn in_query(parameter: &Declared) -> ParameterBuilder {
    let required = ExtensionsBuilder::new().add("x-required", parameter.required);
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(parameter.description()))
        .schema(Some((parameter.schema)()))
        .example(Some((parameter.example)()))
        .extensions(Some(required.build()))
}

/// The same parameters again, as a body has them. The query wins.
fn body(route: &Route) -> RequestBody {
    let token = (route.token != TokenUse::Ignored).then_some(&TOKEN_PARAMETER);
    let in_body = |one: &&Declared| !matches!(one.location, ParameterLocation::Header(_));
    let parameters = route.parameters.iter().filter(in_body).chain(token);
    let parameters: Vec<&Declared> = parameters.collect();
    let has_file = parameters
        .iter()
        .any(|one| one.location == ParameterLocation::File);
    let content = |schema: fn(&Declared) -> RefOr<Schema>| {
        let mut object = ObjectBuilder::new().schema_type(Type::Object);
        let mut example = Map::new();
        for parameter in &parameters {
            object = object.property(parameter.name, schema(parameter));
            if parameter.location == ParameterLocation::File {
                if parameter.required {
                    object = object.required(parameter.name);
                }
            } else {
                example.insert(parameter.name.to_owned(), (parameter.example)());
            }
        }
        let content = ContentBuilder::new().schema(Some(object));
        match has_file {
            true => content.build(),
            false => content.example(Some(Value::Object(example))).build(),
        }
    };
    let builder = RequestBodyBuilder::new();
    match has_file {
        true => builder
            .required(Some(Required::True))
            .content(MULTIPART, content(Declared::form_schema)),
        false => builder
            .description(Some("The same parameters; the query wins."))
            .content(FORM, content(Declared::form_schema))
            .content(JSON, content(Declared::json_schema)),
    }
    .build()
}

#[cfg(test)]
mod tests;
