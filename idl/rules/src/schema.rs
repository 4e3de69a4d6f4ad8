//! Reads the .thrift files: the rules of every struct's fields, and the call policy of every method. The code generator drops our
//! annotations, so the files are read once more, by the same parser.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use pilota_thrift_parser as thrift;
use thrift::{Annotations, Attribute, FileParser, FileSource, Item, Service, StructLike, Ty};

use crate::{CallPolicy, Kind, Rules};

/// One field with everything that is checked about it.
#[derive(Debug)]
pub struct Field {
    /// Its number in the file.
    pub id: i32,
    /// Its name in the file.
    pub name: String,
    /// What is checked.
    pub rules: Rules,
}

/// Structs and services by (file stem, name).
#[derive(Debug, Default)]
pub struct Schema {
    /// Each struct with its fields, in their order.
    pub structs: BTreeMap<(String, String), Vec<Field>>,
    /// Each service with its methods.
    pub services: BTreeMap<(String, String), Methods>,
}

/// The methods of a service by name, and how each is called.
pub type Methods = BTreeMap<String, CallPolicy>;

/// What a type's name stands for, by (file stem, name).
type Names = HashMap<(String, String), Kind>;

impl Schema {
    /// Reads the files. An error says file, struct and field or service and method, and what is wrong, in one line.
    pub fn load(paths: &[PathBuf]) -> Result<Self, String> {
        let mut files = Vec::new();
        for path in paths {
            files.push((stem(path), path, parse(path)?));
        }
        let mut names = Names::new();
        for (stem, path, file) in &files {
            collect_names(stem, file, &mut names)
                .map_err(|why| format!("{}: {why}", path.display()))?;
        }
        let mut schema = Self::default();
        for (stem, path, file) in &files {
            for item in &file.items {
                schema
                    .add(stem, item, &names)
                    .map_err(|why| format!("{}: {why}", path.display()))?;
            }
        }
        Ok(schema)
    }

    fn add(&mut self, stem: &str, item: &Item, names: &Names) -> Result<(), String> {
        match item {
            Item::Struct(s) => self.add_struct(stem, s, names),
            Item::Exception(s) => self.add_struct(stem, s, names),
            Item::Service(service) => self.add_service(stem, service),
            _ => Ok(()),
        }
    }

    fn add_service(&mut self, stem: &str, service: &Service) -> Result<(), String> {
        let name = service.name.as_str();
        let within = |method: &str, why: String| format!("{name}.{method}: {why}");
        without_rules(&service.annotations).map_err(|why| format!("{name}: {why}"))?;
        if service.extends.is_some() {
            return Err(format!(
                "{name}: a service extends no other; write its methods out"
            ));
        }
        let mut methods = Methods::new();
        for function in &service.functions {
            let method = function.name.as_str();
            for argument in &function.arguments {
                for annotations in [&argument.annotations, &argument.ty.1] {
                    without_rules(annotations).map_err(|why| within(method, why))?;
                }
            }
            let policy =
                CallPolicy::parse(&function.annotations).map_err(|why| within(method, why))?;
            methods.insert(method.to_owned(), policy);
        }
        self.services
            .insert((stem.to_owned(), name.to_owned()), methods);
        Ok(())
    }

    fn add_struct(&mut self, stem: &str, item: &StructLike, names: &Names) -> Result<(), String> {
        without_rules(&item.annotations).map_err(|why| format!("{}: {why}", item.name.as_str()))?;
        let mut fields = Vec::new();
        for field in &item.fields {
            let parsed = kind(stem, &field.ty, names)
                .and_then(|kind| Rules::parse(&kind, &field.annotations));
            let rules = parsed
                .map_err(|why| format!("{}.{}: {why}", item.name.as_str(), field.name.as_str()))?;
            if field.attribute == Attribute::Default {
                return Err(format!(
                    "{}.{}: say `required` or `optional`",
                    item.name.as_str(),
                    field.name.as_str()
                ));
            }
            fields.push(Field {
                id: field.id,
                name: field.name.to_string(),
                rules,
            });
        }
        self.structs
            .insert((stem.to_owned(), item.name.to_string()), fields);
        Ok(())
    }
}

/// The name of a file without its extension: what an `include` is referred to by.
pub fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn parse(path: &Path) -> Result<thrift::File, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let source = FileSource::new_with_path(path.to_owned(), &text).map_err(|e| e.to_string())?;
    FileParser::new(source)
        .parse()
        .map_err(|e| format!("{e:?}"))
}

fn collect_names(stem: &str, file: &thrift::File, names: &mut Names) -> Result<(), String> {
    for item in &file.items {
        let (name, kind) = match item {
            Item::Struct(s) => (&s.name, Kind::Struct),
            Item::Exception(s) => (&s.name, Kind::Struct),
            Item::Enum(e) => {
                without_rules(&e.annotations)
                    .map_err(|why| format!("{}: {why}", e.name.as_str()))?;
                let mut next = 0;
                let values = e.values.iter().map(|value| {
                    let number = value.value.map_or(next, |n| n.0);
                    next = number + 1;
                    number
                });
                (&e.name, Kind::Enum(values.collect()))
            }
            Item::Typedef(t) => {
                return Err(format!(
                    "{}: no validation through a typedef; write the type out",
                    t.alias.as_str()
                ));
            }
            Item::Union(u) => {
                return Err(format!(
                    "{}: no validation in a union; use optional fields",
                    u.name.as_str()
                ));
            }
            _ => continue,
        };
        names.insert((stem.to_owned(), name.to_string()), kind);
    }
    Ok(())
}

fn kind(stem: &str, ty: &thrift::Type, names: &Names) -> Result<Kind, String> {
    without_rules(&ty.1)?;
    Ok(match &ty.0 {
        Ty::String => Kind::Text,
        Ty::Binary => Kind::Bytes,
        Ty::Byte | Ty::I8 => Kind::Integer(8),
        Ty::I16 => Kind::Integer(16),
        Ty::I32 => Kind::Integer(32),
        Ty::I64 => Kind::Integer(64),
        Ty::List { value, .. } | Ty::Set { value, .. } => {
            Kind::List(Box::new(kind(stem, value, names)?))
        }
        Ty::Map { value, .. } => Kind::Map(Box::new(kind(stem, value, names)?)),
        Ty::Path(path) => {
            let segments: Vec<&str> = path.segments.iter().map(|ident| ident.as_str()).collect();
            let (file, name) = match segments.as_slice() {
                [name] => (stem, *name),
                [file, name] => (*file, *name),
                _ => return Err(format!("no type is called `{}`", segments.join("."))),
            };
            let key = (file.to_owned(), name.to_owned());
            names
                .get(&key)
                .cloned()
                .ok_or_else(|| format!("no type is called `{}`", segments.join(".")))?
        }
        Ty::Bool | Ty::Double | Ty::Uuid | Ty::Void => Kind::Other,
    })
}

/// Only a field of a struct takes rules.
fn without_rules(annotations: &Annotations) -> Result<(), String> {
    match annotations
        .iter()
        .find(|annotation| annotation.key.starts_with("vt."))
    {
        Some(rule) => Err(format!(
            "`{} = \"{}\"`: only a field of a struct takes rules",
            rule.key, rule.value.0
        )),
        None => Ok(()),
    }
}
