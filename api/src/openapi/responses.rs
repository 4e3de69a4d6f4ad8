//! The replies of a route as schemas. They name every field, so that a test can find a missing or an unknown one.

use idl::base::Code;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{
    ContentBuilder, Header, HeaderBuilder, ObjectBuilder, RefOr, Response, ResponseBuilder,
    Responses, ResponsesBuilder, Schema,
    example::{Example, ExampleBuilder},
    schema::{AdditionalProperties, Object, OneOfBuilder, Type},
};

use crate::{
    error::ApiError,
    i18n::{Language, code_message},
    response::Envelope,
    route::Route,
};

const JSON: &str = "application/json";

/// A reply with this code, as JSON has it.
fn reply_example<T: Serialize>(code: Code, content: T) -> Value {
    let envelope = Envelope {
        status_code: code.inner(),
        status_msg: code_message(code, Language::English),
        content,
    };
    serde_json::to_value(envelope).unwrap_or_default()
}

/// Makes an object have no other fields than those named.
pub fn close(mut object: Object) -> Object {
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    object
}

/// The schema of `content` with the status of one of `codes`.
fn reply_schema(codes: &[Code], mut content: Object) -> Object {
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

/// A schema that admits only this example of it.
fn only(mut schema: Object, example: &Value) -> Object {
    for (name, property) in &mut schema.properties {
        if let RefOr::T(Schema::Object(property)) = property {
            let kind = property.schema_type.clone();
            let value = example.get(name).cloned();
            let only = ObjectBuilder::new()
                .schema_type(kind)
                .enum_values(value.map(|one| [one]));
            *property = only.build();
        }
    }
    schema
}

/// All replies of a route, by HTTP status.
pub fn responses(route: &Route) -> Responses {
    let (content, failure) = ((route.content)(), (route.failure_content)());
    let failed = only(failure.schema, &failure.example);
    let success = reply_schema(&[Code::OK], content.schema);
    let refusal = reply_schema(&route.refusals, failed.clone());
    let mut examples = vec![named(Code::OK, reply_example(Code::OK, &content.example))];
    for code in &route.refusals {
        examples.push(named(*code, reply_example(*code, &failure.example)));
    }
    let content = ContentBuilder::new()
        .schema(Some(OneOfBuilder::new().item(success).item(refusal)))
        .examples_from_iter(examples)
        .build();
    let ok = response("Done, or refused: `status_code` tells", content);
    let mut responses = ResponsesBuilder::new().response("200", ok.build());
    for (error, description) in failures() {
        let content = ContentBuilder::new()
            .schema(Some(reply_schema(&[error.code()], failed.clone())))
            .example(Some(reply_example(error.code(), &failure.example)))
            .build();
        let mut response = response(description, content);
        if error.retry_after().is_some() {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer);
            response = response.header("Retry-After", header(seconds, "Seconds to wait"));
        }
        responses = responses.response(error.http_status().as_str(), response.build());
    }
    responses.build()
}

fn named(code: Code, value: Value) -> (String, RefOr<Example>) {
    let summary = code_message(code, Language::English);
    let example = ExampleBuilder::new().summary(summary).value(Some(value));
    (code.inner().to_string(), example.build().into())
}

fn header(schema: ObjectBuilder, description: &str) -> Header {
    HeaderBuilder::new()
        .schema(schema)
        .description(Some(description))
        .build()
}

fn response(description: &str, content: utoipa::openapi::Content) -> ResponseBuilder {
    let id = ObjectBuilder::new().schema_type(Type::String);
    ResponseBuilder::from(Response::new(description))
        .header(
            "X-Request-Id",
            header(id, "The request's id, also in every log line about it"),
        )
        .content(JSON, content)
}

/// What may come in place of a reply at HTTP 200, on every route.
fn failures() -> [(ApiError, &'static str); 7] {
    let new = ApiError::new;
    [
        (ApiError::request_timeout(), "The body came too slowly"),
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
