//! Writes the checked annotations as Rust: `Validate` for every struct and every service's requests, `Call` for the requests, and the
//! table of all rules.

use std::{fmt::Write as _, sync::Arc};

use idl_rules::{CallPolicy, Kind, Rules, Schema, stem};
use pilota_build::{
    Context, DefId, IdentName as _, Plugin,
    db::RirDatabase as _,
    rir::{FieldKind, Item, Message},
    ty::TyKind,
};

/// Hooks into the code generator, which knows the Rust name of everything.
pub struct AnnotationPlugin {
    schema: Schema,
}

impl AnnotationPlugin {
    pub fn new(schema: Schema) -> Self {
        Self { schema }
    }

    /// `None` for what is no struct of the files: the generator's own argument structs.
    fn body(&self, cx: &Context, def_id: DefId, message: &Message) -> Option<String> {
        let fields = self
            .schema
            .structs
            .get(&(file(cx, def_id)?, message.name.raw_str().to_string()))?;
        let mut body = String::new();
        for field in &message.fields {
            let Some(known) = fields.iter().find(|known| known.id == field.id) else {
                continue;
            };
            let code = checks(&known.rules, &known.name);
            if code.is_empty() {
                continue;
            }
            let name = cx.rust_name(field.did);
            body += &match field.kind {
                FieldKind::Required => format!("{{ let v = &self.{name}; {code} }}\n"),
                FieldKind::Optional => format!("if let Some(v) = &self.{name} {{ {code} }}\n"),
            };
        }
        Some(body)
    }

    /// How the methods of a service are called, for the enum of its client's requests.
    fn implement_call(&self, cx: &Context, def_id: DefId, name: &str) {
        let key = file(cx, def_id).map(|file| (file, name.to_owned()));
        let methods = key.and_then(|key| self.schema.services.get(&key));
        let mut arms = String::new();
        for method in cx.service_methods(def_id).iter() {
            let policy = methods.and_then(|methods| methods.get(&*method.name.raw_str()));
            // Without an arm the match doesn't compile; the schema has every method.
            let Some(CallPolicy { deadline_ms, retry }) = policy else {
                continue;
            };
            let variant = (&*cx.rust_name(method.def_id)).variant_ident();
            let _ = writeln!(
                arms,
                "Self::{variant}(_) => crate::CallPolicy {{ \
                 deadline: ::std::time::Duration::from_millis({deadline_ms}), retry: {retry} }},"
            );
        }
        let service = cx.rust_name(def_id);
        let code = format!(
            "impl crate::Call for {service}RequestSend {{\n\
             fn policy(&self) -> crate::CallPolicy {{\nmatch self {{ {arms} }}\n}}\n}}\n"
        );
        cx.with_adjust_mut(def_id, |adjust| adjust.add_nested_item(code.into()));
    }
}

/// The file that declares something, without its extension.
fn file(cx: &Context, def_id: DefId) -> Option<String> {
    let node = cx.node(def_id)?;
    cx.file_paths().get(&node.file_id).map(|path| stem(path))
}

impl Plugin for AnnotationPlugin {
    fn on_item(&mut self, cx: &Context, def_id: DefId, item: Arc<Item>) {
        match &*item {
            Item::Message(message) => {
                if let Some(body) = self.body(cx, def_id, message) {
                    implement(cx, def_id, &cx.rust_name(def_id), &body);
                }
            }
            // What client and server layers see of a call is an enum of the methods' arguments. It is no item, but lies
            // in the service's module.
            Item::Service(item) => {
                let service = cx.rust_name(def_id);
                let arms = arms(cx, def_id);
                for side in ["Send", "Recv"] {
                    implement(
                        cx,
                        def_id,
                        &format!("{service}Request{side}"),
                        &format!("match self {{ {arms} }}\n"),
                    );
                }
                self.implement_call(cx, def_id, &item.name.raw_str());
            }
            _ => {}
        }
    }
}

fn implement(cx: &Context, def_id: DefId, name: &str, body: &str) {
    let code = format!(
        "impl crate::Validate for {name} {{\n\
         fn validate(&self) -> ::std::result::Result<(), crate::ValidateError> {{\n\
         use crate::Validate as _;\n{body}Ok(())\n}}\n}}\n"
    );
    cx.with_adjust_mut(def_id, |adjust| adjust.add_nested_item(code.into()));
}

/// One arm a method; an argument's own name is no part of the path, because callers don't see it.
fn arms(cx: &Context, service: DefId) -> String {
    let mut arms = String::new();
    for method in cx.service_methods(service).iter() {
        let variant = (&*cx.rust_name(method.def_id)).variant_ident();
        let _ = write!(arms, "Self::{variant}(args) => {{");
        for arg in &method.args {
            let TyKind::Path(path) = &arg.ty.kind else {
                continue;
            };
            if !matches!(&*cx.expect_item(path.did), Item::Message(_)) {
                continue;
            }
            let name = cx.rust_name(arg.def_id);
            arms += &match arg.kind {
                FieldKind::Required => format!("args.{name}.validate()?;"),
                FieldKind::Optional => {
                    format!("if let Some(v) = &args.{name} {{ v.validate()?; }}")
                }
            };
        }
        arms += "}\n";
    }
    arms
}

/// Statements that return an error when `v`, found at `path`, breaks a rule.
fn checks(rules: &Rules, path: &str) -> String {
    let mut code = String::new();
    for check in &rules.checks {
        let (broken, rule, limit) = (&check.broken, check.rule, &check.limit);
        let _ = writeln!(
            code,
            "if {broken} {{ return Err(crate::ValidateError::new({path:?}, crate::Rule::{rule}, {limit:?})); }}"
        );
    }
    if matches!(rules.kind, Kind::Struct) && !rules.skip {
        let _ = writeln!(code, "v.validate().map_err(|e| e.within({path:?}))?;");
    }
    if let Some(elem) = &rules.elem {
        let elem = checks(elem, &format!("{path}[]"));
        let iter = if matches!(rules.kind, Kind::Map(_)) {
            "values"
        } else {
            "iter"
        };
        if !elem.is_empty() {
            let _ = writeln!(code, "for v in v.{iter}() {{ {elem} }}");
        }
    }
    code
}

/// A Rust array expression with every rule of every struct.
pub fn rule_table(schema: &Schema) -> String {
    let mut table = String::from("&[\n");
    for ((file, item), fields) in &schema.structs {
        for field in fields {
            rows(&mut table, file, item, &field.name, &field.rules);
        }
    }
    table + "]\n"
}

fn rows(table: &mut String, file: &str, item: &str, path: &str, rules: &Rules) {
    for check in &rules.checks {
        let _ = writeln!(
            table,
            "RuleEntry {{ file: {file:?}, strct: {item:?}, field: {path:?}, rule: Rule::{}, limit: {:?} }},",
            check.rule, check.limit
        );
    }
    if let Some(elem) = &rules.elem {
        rows(table, file, item, &format!("{path}[]"), elem);
    }
}
