//! Generates servers and clients from the .thrift files of this crate (and from douyin.proto, see [`proto`]), with the validators and call policies that their annotations ask
//! for. An annotation that is wrong or missing ends the build and is named: file, struct and field, or service and method.

mod emit;
mod proto;

use std::{env, fs, path::PathBuf, process::ExitCode};

use idl_rules::Schema;

/// A new file is named here.
const FILES: [&str; 7] = [
    "base.thrift",
    "comment.thrift",
    "favorite.thrift",
    "message.thrift",
    "relation.thrift",
    "user.thrift",
    "video.thrift",
];

fn main() -> ExitCode {
    match generate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn generate() -> Result<(), String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    // volo names every file that it reads; the script itself is ours to name.
    println!("cargo:rerun-if-changed=build");

    let files = FILES.map(|file| root.join(file));
    let schema = Schema::load(&files)?;
    let table = out.join("rules.rs");
    fs::write(&table, emit::rule_table(&schema))
        .map_err(|e| format!("{}: {e}", table.display()))?;
    write(&files, schema, "volo_gen.rs")?;

    proto::generate(&root, &out)?;

    // What tests need and no interface has.
    let every_rule = root.join("tests/every_rule.thrift");
    let schema = Schema::load(std::slice::from_ref(&every_rule))?;
    write(&[every_rule], schema, "every_rule.rs")
}

/// Generates one Rust file from .thrift files that include nothing but each other.
fn write(files: &[PathBuf], schema: Schema, name: &str) -> Result<(), String> {
    let mut builder = volo_build::Builder::thrift()
        .filename(name.into())
        .ignore_unused(false)
        .with_comments(true)
        .plugin(emit::AnnotationPlugin::new(schema));
    for file in files {
        builder = builder.add_service(file);
    }
    builder.write().map_err(|e| format!("{e:#}"))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("{name}: {e}"))
}
