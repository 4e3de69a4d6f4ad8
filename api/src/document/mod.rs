//! The contract as OpenAPI 3.1, made from the code: objects and replies by their types, lengths by the interfaces' rules,
//! codes by their table. `api/openapi.json` is its snapshot; a test compares the two, and its routes with the router's.

mod examples;
mod operations;
mod parameters;
mod replies;

use std::{fmt::Write as _, sync::LazyLock};

use serde_json::{Map, Value};
use utoipa::openapi::{
    Components, ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi,
    OpenApiBuilder, PathItem, Paths, PathsBuilder, RefOr, Required, Schema, SecurityRequirement,
    Server,
    extensions::ExtensionsBuilder,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
    schema::{ObjectBuilder, Type},
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

use crate::{
    call::IDEMPOTENCY_KEY,
    error::ApiError,
    objects::{Comment, User, Video},
    words::TABLE,
};
use operations::{Operation, Token, operations};
use parameters::{Parameter, TOKEN};

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
    let tag = |(name, about): (&str, &str)| TagBuilder::new().name(name).description(Some(about));
    let tags = [
        ("feed", "What everybody sees"),
        ("user", "Accounts"),
        ("publish", "Videos"),
        ("favorite", "Likes"),
        ("comment", "Comments"),
    ];
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([Server::new("/")]))
        .tags(Some(tags.map(|tag_of| tag(tag_of).build())))
        .paths(paths())
        .components(Some(components()))
        .build()
}

/// What holds for every route, with the table of codes.
fn description() -> String {
    let mut text = String::from(include_str!("description.md"));
    for (code, english, chinese) in TABLE {
        let status = ApiError::new(code).http_status().as_u16();
        let number = code.inner();
        // Writing into a string doesn't fail.
        let _ = writeln!(text, "| {number} | {status} | {english} | {chinese} |");
    }
    text
}

fn components() -> Components {
    let schemes = [
        (
            "bearer",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .bearer_format("JWT")
                    .description(Some("The token of register or login."))
                    .build(),
            ),
        ),
        (
            "token",
            SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description(
                TOKEN.name,
                TOKEN.about,
            ))),
        ),
    ];
    let mut components = ComponentsBuilder::new()
        .schema_from::<User>()
        .schema_from::<Video>()
        .schema_from::<Comment>();
    for (name, scheme) in schemes {
        components = components.security_scheme(name, scheme);
    }
    let mut components = components.build();
    for schema in components.schemas.values_mut() {
        if let RefOr::T(Schema::Object(object)) = schema {
            *object = replies::close(object.clone());
        }
    }
    components
}

fn paths() -> Paths {
    operations()
        .iter()
        .fold(PathsBuilder::new(), |paths, operation| {
            let item = PathItem::new(operation.method.clone(), described(operation));
            paths.path(operation.path, item)
        })
        .build()
}

fn described(operation: &Operation) -> OperationBuilder {
    let id = operation
        .path
        .trim_start_matches("/douyin/")
        .trim_end_matches('/')
        .replace('/', "_");
    let mut builder = OperationBuilder::new()
        .operation_id(Some(id))
        .tag(operation.tag)
        .summary(Some(operation.summary))
        .description(Some(operation.about))
        .request_body(Some(body(operation)))
        .responses(replies::responses(operation));
    for parameter in operation.parameters {
        if parameter.example().is_some() {
            builder = builder.parameter(in_query(parameter));
        }
    }
    let language = text(
        "Accept-Language",
        "`zh` or `en`: the language of `status_msg`.",
    );
    builder = builder
        .parameter(language.example(Some("en".into())))
        .parameter(text(
            "X-Request-Id",
            "The reply's `X-Request-Id`, if it has 1 to 64 letters, digits, `-`, `_` and `.`; else one is made.",
        ));
    if operation.idempotency_key {
        let header = text(
            IDEMPOTENCY_KEY,
            "The same key by the same user gives the first result, for 24 h; with other content it is refused (10013). An addition of ours.",
        );
        builder = builder.parameter(header.schema(Some(parameters::idempotency_key())));
    }
    let by = |scheme: &str| SecurityRequirement::new(scheme, [] as [&str; 0]);
    match operation.token {
        Token::Unread => builder,
        Token::Optional => builder.securities(Some([
            SecurityRequirement::default(),
            by("bearer"),
            by("token"),
        ])),
        Token::Required => builder.securities(Some([by("bearer"), by("token")])),
    }
}

/// A header that is a text.
fn text(name: &str, about: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(about))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
}

/// Never required there, because the body may have it; `x-required` tells that one of them must.
fn in_query(parameter: &Parameter) -> ParameterBuilder {
    let required = ExtensionsBuilder::new().add("x-required", parameter.required);
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(parameter.about))
        .schema(Some(parameter.schema()))
        .example(parameter.example())
        .extensions(Some(required.build()))
}

/// The same parameters again, in the body's ways. The query wins.
fn body(operation: &Operation) -> RequestBody {
    let token = (operation.token != Token::Unread).then_some(&TOKEN);
    let all: Vec<&Parameter> = operation.parameters.iter().chain(token).collect();
    let content = |of: fn(&Parameter) -> RefOr<Schema>| {
        let mut object = ObjectBuilder::new().schema_type(Type::Object);
        let mut example = Map::new();
        for parameter in &all {
            object = object.property(parameter.name, of(parameter));
            match parameter.example() {
                Some(value) => {
                    example.insert(parameter.name.to_owned(), value);
                }
                // Only a file has none, and it has no other place.
                None => object = object.required(parameter.name),
            }
        }
        let content = ContentBuilder::new().schema(Some(object));
        if operation.is_upload() {
            content.build()
        } else {
            content.example(Some(Value::Object(example))).build()
        }
    };
    let builder = RequestBodyBuilder::new();
    if operation.is_upload() {
        return builder
            .required(Some(Required::True))
            .content(MULTIPART, content(Parameter::described))
            .build();
    }
    builder
        .description(Some("The same parameters; the query wins."))
        .content(FORM, content(Parameter::described))
        .content(JSON, content(Parameter::json_schema))
        .build()
}

#[cfg(test)]
mod tests;
