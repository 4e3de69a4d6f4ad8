//! How a route declares its parameters: a struct whose fields' types read, check and document them.
//!
//! [`parameters!`](crate::params::parameters) makes such a struct; [`types`](super::types) has the field types.

use serde_json::Value;
use utoipa::openapi::{
    ObjectBuilder, RefOr, Schema,
    schema::{AnyOfBuilder, SchemaType, Type},
};

use super::values::{Params, TOKEN};
use crate::error::ApiError;

/// The type of a parameter. It alone knows the parameter's rules: the parser, the refusal and the document follow from it.
pub trait Parameter: Sized {
    /// Where a client puts it.
    const LOCATION: ParameterLocation = ParameterLocation::QueryOrBody;
    /// Whether a request without it is refused.
    const REQUIRED: bool = true;
    /// The pattern of a string that a JSON body may have in place of the number; none for a type that is a string anyway.
    const JSON_STRING: Option<&'static str> = None;

    /// Reads the parameter called `name`.
    ///
    /// # Errors
    /// It is missing, or breaks a rule of this type; the error names both.
    fn read(params: &Params, name: &str) -> Result<Self, ApiError>;

    /// Whether the request has it. An empty value counts as missing, unless the type says otherwise.
    fn is_given(params: &Params, name: &str) -> bool {
        params.filled(name).is_some()
    }

    /// Its schema in a query string or a form.
    fn schema() -> ObjectBuilder;

    /// A value for the document's examples.
    fn example() -> Value;
}

/// Where a client puts a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterLocation {
    /// The query string or the body; the query wins.
    QueryOrBody,
    /// The header of this name.
    Header(&'static str),
    /// A part of a multipart body, as a file.
    File,
}

/// What is known of a declared parameter without its type.
#[derive(Clone, Copy)]
pub struct Declared {
    /// In the query string and in bodies.
    pub name: &'static str,
    /// See [`Parameter::LOCATION`].
    pub location: ParameterLocation,
    /// See [`Parameter::REQUIRED`].
    pub required: bool,
    json_string: Option<&'static str>,
    /// See [`Parameter::schema`].
    pub schema: fn() -> ObjectBuilder,
    /// See [`Parameter::example`].
    pub example: fn() -> Value,
    description: &'static str,
}

impl Declared {
    /// The parameter `name` of type `P`.
    pub const fn of<P: Parameter>(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            location: P::LOCATION,
            required: P::REQUIRED,
            json_string: P::JSON_STRING,
            schema: P::schema,
            example: P::example,
            description,
        }
    }

    /// What it is for: the doc comment of its field.
    pub fn description(&self) -> &'static str {
        self.description.trim()
    }

    /// How the document shows it in a form.
    pub fn form_schema(&self) -> RefOr<Schema> {
        (self.schema)().description(Some(self.description())).into()
    }

    /// How the document shows it in a JSON body, where a number may also be written as a string.
    pub fn json_schema(&self) -> RefOr<Schema> {
        let Some(pattern) = self.json_string else {
            return self.form_schema();
        };
        let string = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some(pattern));
        AnyOfBuilder::new()
            .item((self.schema)())
            .item(string)
            .description(Some(self.description()))
            .into()
    }
}

/// All parameters of a route but the token, as `parameters!` declares them.
pub trait Parameters: Sized {
    /// In the order of their fields, which is the order in which they are checked.
    const DECLARED: &'static [Declared];

    /// Reads all of them.
    ///
    /// # Errors
    /// The first that is missing or breaks a rule.
    fn read(params: &Params) -> Result<Self, ApiError>;

    /// Checks those that are there already, of a request whose body is still coming.
    ///
    /// # Errors
    /// The first that breaks a rule.
    fn check_given(params: &Params) -> Result<(), ApiError>;

    /// Whether a form's part of this name is kept. All others are skipped unread.
    fn keeps(name: &str) -> bool {
        let is_kept =
            |one: &Declared| one.location == ParameterLocation::QueryOrBody && one.name == name;
        name == TOKEN || Self::DECLARED.iter().any(is_kept)
    }
}

/// Declares the parameters of a route. A field's name is the parameter's; its doc comment is the description in the document.
macro_rules! parameters {
    (
        $(#[$meta:meta])*
        pub struct $struct:ident {
            $($(#[doc = $doc:literal])+ pub $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $struct {
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl $crate::params::Parameters for $struct {
            const DECLARED: &'static [$crate::params::Declared] = &[
                $($crate::params::Declared::of::<$type>(stringify!($field), concat!($($doc),+)),)*
            ];

            fn read(params: &$crate::params::Params) -> Result<Self, $crate::error::ApiError> {
                // A route may have no parameters but the token.
                let _ = params;
                Ok(Self {
                    $($field: <$type as $crate::params::Parameter>::read(params, stringify!($field))?,)*
                })
            }

            fn check_given(params: &$crate::params::Params) -> Result<(), $crate::error::ApiError> {
                let _ = params;
                $(<Option<$type> as $crate::params::Parameter>::read(params, stringify!($field))?;)*
                Ok(())
            }
        }
    };
}
pub(crate) use parameters;

/// A parameter that the route can do without.
impl<P: Parameter> Parameter for Option<P> {
    const LOCATION: ParameterLocation = P::LOCATION;
    const REQUIRED: bool = false;
    const JSON_STRING: Option<&'static str> = P::JSON_STRING;

    fn read(params: &Params, name: &str) -> Result<Self, ApiError> {
        match P::is_given(params, name) {
            true => P::read(params, name).map(Some),
            false => Ok(None),
        }
    }

    fn is_given(params: &Params, name: &str) -> bool {
        P::is_given(params, name)
    }

    fn schema() -> ObjectBuilder {
        P::schema()
    }

    fn example() -> Value {
        P::example()
    }
}

/// A parameter that only some values of another one ask for. What is wrong with it doesn't matter until then.
#[derive(Debug)]
pub struct Conditional<P> {
    /// What [`Parameter::read`] made of it, as of a required one.
    read: Result<P, ApiError>,
    is_given: bool,
}

impl<P> Conditional<P> {
    /// The parameter, which this request needs.
    ///
    /// # Errors
    /// It is missing or breaks a rule.
    pub fn required(self) -> Result<P, ApiError> {
        self.read
    }

    /// The parameter, which this request can do without.
    ///
    /// # Errors
    /// It breaks a rule.
    pub fn optional(self) -> Result<Option<P>, ApiError> {
        match self.is_given {
            true => self.read.map(Some),
            false => Ok(None),
        }
    }
}

impl<P: Parameter> Parameter for Conditional<P> {
    const LOCATION: ParameterLocation = P::LOCATION;
    const REQUIRED: bool = false;
    const JSON_STRING: Option<&'static str> = P::JSON_STRING;

    fn read(params: &Params, name: &str) -> Result<Self, ApiError> {
        Ok(Self {
            read: P::read(params, name),
            is_given: P::is_given(params, name),
        })
    }

    fn is_given(params: &Params, name: &str) -> bool {
        P::is_given(params, name)
    }

    fn schema() -> ObjectBuilder {
        P::schema()
    }

    fn example() -> Value {
        P::example()
    }
}
