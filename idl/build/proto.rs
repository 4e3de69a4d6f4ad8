//! Generates from douyin.proto: types, by pilota; and a table of its messages.

use std::{fmt::Write as _, fs, path::Path};

use protobuf_parse::Parser;

/// Both, into `out`.
pub fn generate(root: &Path, out: &Path) -> Result<(), String> {
    let file = root.join("douyin.proto");
    println!("cargo:rerun-if-changed={}", file.display());
    pilota_build::Builder::pb()
        .include_dirs(vec![root.to_owned()])
        .ignore_unused(false)
        .compile(
            [&file],
            pilota_build::Output::File(out.join("douyin_gen.rs")),
        );
    let table = out.join("proto_table.rs");
    fs::write(&table, messages(root, &file)?).map_err(|e| format!("{}: {e}", table.display()))
}

fn messages(root: &Path, file: &Path) -> Result<String, String> {
    let parsed = Parser::new()
        .pure()
        .include(root)
        .input(file)
        .parse_and_typecheck();
    let parsed = parsed.map_err(|e| format!("{}: {e:#}", file.display()))?;
    let descriptor = parsed
        .file_descriptors
        .first()
        .ok_or("douyin.proto: nothing in it")?;
    let names: Vec<&str> = descriptor
        .message_type
        .iter()
        .map(|message| message.name())
        .collect();
    let mut table = String::from(
        "/// All messages, in the order of the file.\npub static MESSAGES: &[Message] = &[\n",
    );
    for message in &descriptor.message_type {
        let _ = writeln!(
            table,
            "    Message {{ name: {:?}, fields: &[",
            message.name()
        );
        for field in &message.field {
            let kind = match format!("{:?}", field.type_()).as_str() {
                "TYPE_INT32" | "TYPE_INT64" => "Kind::Int".to_owned(),
                "TYPE_BOOL" => "Kind::Bool".to_owned(),
                "TYPE_STRING" => "Kind::Text".to_owned(),
                "TYPE_BYTES" => "Kind::Bytes".to_owned(),
                "TYPE_MESSAGE" => {
                    let of = field.type_name().rsplit('.').next().unwrap_or_default();
                    let place = names.iter().position(|name| *name == of);
                    let place = place.ok_or_else(|| format!("douyin.proto: {of} is not in it"))?;
                    format!("Kind::Message({place})")
                }
                other => {
                    return Err(format!(
                        "douyin.proto: {}.{}: {other} has no form in JSON",
                        message.name(),
                        field.name()
                    ));
                }
            };
            let label = match format!("{:?}", field.label()).as_str() {
                "LABEL_REQUIRED" => "Required",
                "LABEL_REPEATED" => "Repeated",
                _ => "Optional",
            };
            let _ = writeln!(
                table,
                "        Field {{ name: {:?}, number: {}, kind: {kind}, label: Label::{label} }},",
                field.name(),
                field.number(),
            );
        }
        table.push_str("    ] },\n");
    }
    table.push_str("];\n");
    Ok(table)
}
