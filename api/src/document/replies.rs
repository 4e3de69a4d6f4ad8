//! The replies of a route as schemas: exact to the last field, so that a machine finds what is too much or missing.

use idl::base::Code;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{
    PartialSchema,
    openapi::{
        ContentBuilder, Header, ObjectBuilder, RefOr, Response, ResponseBuilder, Responses,
        ResponsesBuilder, Schema,
        example::ExampleBuilder,
        schema::{AdditionalProperties, Object, OneOfBuilder, Type},
    },
};

use super::operations::Operation;
use crate::{
    error::ApiError,
    reply::Envelope,
    words::{Language, words},
};

const JSON: &str = "application/json";

/// What a success has besides its status.
pub struct Content {
    schema: Object,
    example: Value,
}

impl Content {
    /// By its type, and one of them.
    pub fn of<T: PartialSchema + Serialize>(example: T) -> Self {
        let schema = match T::schema() {
            RefOr::T(Schema::Object(object)) => object,
            // Every content is an object, whose fields stand beside the status.
            _ => Object::new(),
        };
        let example = envelope(Code::OK, words(Code::OK, Language::English), example);
        Self { schema, example }
    }
}

fn envelope<T: Serialize>(code: Code, message: &str, content: T) -> Value {
    let envelope = Envelope {
        status_code: code.inner(),
        status_msg: message,
        content,
    };
    serde_json::to_value(envelope).unwrap_or_default()
}

/// Makes an object have no other fields than those named.
pub fn close(mut object: Object) -> Object {
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    object
}

/// `content` with the status of one of `codes`.
fn reply(codes: &[Code], mut content: Object) -> Object {
    let code = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .enum_values(Some(codes.iter().map(|code| code.inner())));
    let message = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1));
    content.schema_type = Type::Object.into();
    content.description = None;
    content.properties.insert("status_code".into(), code.into());
    content
        .properties
        .insert("status_msg".into(), message.into());
    content
        .required
        .extend(["status_code".into(), "status_msg".into()]);
    close(content)
}

/// What a failure has besides its status.
fn failed(operation: &Operation) -> Object {
    let mut content = Object::new();
    if !operation.empty_session {
        return content;
    }
    let only = |kind: Type, value: Value| {
        ObjectBuilder::new()
            .schema_type(kind)
            .enum_values(Some([value]))
    };
    content.properties = [
        ("user_id".into(), only(Type::Integer, json!(0)).into()),
        ("token".into(), only(Type::String, json!("")).into()),
    ]
    .into();
    content.required = vec!["user_id".into(), "token".into()];
    content
}

/// All replies of a route, by HTTP status.
pub fn responses(operation: &Operation) -> Responses {
    let success = reply(&[Code::OK], operation.content.schema.clone());
    let refusal = reply(operation.refusals, failed(operation));
    let mut examples = vec![example(Code::OK, operation.content.example.clone())];
    for code in operation.refusals {
        let content = envelope(
            *code,
            words(*code, Language::English),
            operation.on_failure(),
        );
        examples.push(example(*code, content));
    }
    let content = ContentBuilder::new()
        .schema(Some(OneOfBuilder::new().item(success).item(refusal)))
        .examples_from_iter(examples)
        .build();
    let ok = response("Done, or refused: `status_code` tells", content);
    let mut responses = ResponsesBuilder::new().response("200", ok.build());
    for (error, about) in failures() {
        let schema = reply(&[error.code], failed(operation));
        let message = words(error.code, Language::English);
        let example = envelope(error.code, message, operation.on_failure());
        let content = ContentBuilder::new()
            .schema(Some(schema))
            .example(Some(example))
            .build();
        let mut response = response(about, content);
        if error.retry_after().is_some() {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer);
            response = response.header("Retry-After", header(seconds, "Seconds to wait"));
        }
        responses = responses.response(error.http_status().as_str(), response.build());
    }
    responses.build()
}

fn example(code: Code, value: Value) -> (String, RefOr<utoipa::openapi::example::Example>) {
    let message = words(code, Language::English);
    let example = ExampleBuilder::new().summary(message).value(Some(value));
    (code.inner().to_string(), example.build().into())
}

fn header(schema: ObjectBuilder, about: &str) -> Header {
    utoipa::openapi::HeaderBuilder::new()
        .schema(schema)
        .description(Some(about))
        .build()
}

fn response(about: &str, content: utoipa::openapi::Content) -> ResponseBuilder {
    let id = ObjectBuilder::new().schema_type(Type::String);
    ResponseBuilder::from(Response::new(about))
        .header(
            "X-Request-Id",
            header(id, "The request's id, also in every log line about it"),
        )
        .content(JSON, content)
}

/// What may come in place of a reply at 200, on every route.
fn failures() -> [(ApiError, &'static str); 7] {
    let stalled = ApiError::from(crate::params::body::BodyError::Stalled);
    let new = ApiError::new;
    [
        (stalled, "The body came too slowly"),
        (new(Code::TOO_LARGE), "The body is too large"),
        (
            ApiError::unsupported_media_type(),
            "A content type that no route takes",
        ),
        (new(Code::TOO_MANY_REQUESTS), "Too many requests"),
        (new(Code::INTERNAL), "A bug of ours; the log has the cause"),
        (new(Code::UNAVAILABLE), "Something that this needs is away"),
        (new(Code::TIMED_OUT), "It took too long"),
    ]
}
