//! Words that were replaced by the terms of the field don't come back as names, and no file belongs to two crates.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{metadata, sources};

/// Words that were names here, and what is said instead. Prose may use them; a name may not have one as a part.
const REPLACED: &[(&str, &str)] = &[
    ("adornment", "middleware"),
    ("bury", "set a tombstone"),
    ("lending", "body state"),
    ("life", "TTL"),
    ("manners", "middleware, CORS, compression"),
    ("mend", "repair, heal"),
    ("owing", "dirty"),
    ("parting", "drain"),
    ("untold", "unpublished"),
    ("ways", "partition, routes, paths"),
];

/// All sources of the workspace, but for this file.
fn all_sources() -> Vec<(PathBuf, String)> {
    let root = metadata().workspace_root;
    let mut files = Vec::new();
    for room in ["idl", "api", "dal", "rpc", "pkg"] {
        sources(&root.join(room), &mut files);
    }
    files.retain(|file| !file.ends_with("rooms/names.rs"));
    assert!(files.len() > 10, "the sources were not found");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        (file, text)
    };
    files.into_iter().map(read).collect()
}

/// The parts of the names in a line of code: `MAX_OPEN` has two, `OpenUpload` two, `open_uploads()` two.
fn parts(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let mut parts = vec![String::new()];
    let mut was_lower = false;
    for letter in code.chars() {
        let begins = !letter.is_alphanumeric() || (letter.is_uppercase() && was_lower);
        if begins {
            parts.push(String::new());
        }
        if letter.is_alphanumeric() {
            let last = parts.last_mut().unwrap();
            last.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase();
    }
    parts
}

#[test]
fn no_name_has_a_word_that_a_term_has_replaced() {
    let mut found = Vec::new();
    for (file, text) in all_sources() {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        for line in text.lines().chain([&*stem]) {
            // A text is prose.
            let code = line.split('"').step_by(2).collect::<Vec<_>>().join(" ");
            let parts = parts(&code);
            for (word, term) in REPLACED {
                if parts.iter().any(|part| part == word) {
                    let place = file.display();
                    found.push(format!("{place}: {word}: the term is {term}: {line}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_word_is_found_in_names_of_every_shape_and_not_in_comments() {
    let has = |line: &str| parts(line).iter().any(|part| part == "parting");
    for line in [
        "const PARTING: u8 = 1;",
        "mod parting;",
        "struct PartingTime;",
        "a_parting()",
    ] {
        assert!(has(line), "{line}");
    }
    for line in ["// parting", "imparting", "let parts = 1;"] {
        assert!(!has(line), "{line}");
    }
}

/// Whether another file declares this one as its module, as files do without `#[path]`.
fn is_a_module(file: &Path) -> bool {
    let directory = file.parent().unwrap();
    let declaration = format!("mod {};", file.file_stem().unwrap().to_string_lossy());
    let declares = |parent: PathBuf| {
        let source = fs::read_to_string(parent).unwrap_or_default();
        source.lines().any(|line| line.ends_with(&declaration))
    };
    let parents = ["main.rs", "mod.rs", "lib.rs"].map(|name| directory.join(name));
    parents.into_iter().any(declares) || declares(directory.with_extension("rs"))
}

#[test]
fn no_file_is_compiled_into_two_crates() {
    let mut named = Vec::new();
    for (file, text) in all_sources() {
        for line in text.lines() {
            let path = line.trim().strip_prefix("#[path = \"");
            if let Some(path) = path.and_then(|rest| rest.strip_suffix("\"]")) {
                let target = file.parent().unwrap().join(path);
                named.push(target.canonicalize().unwrap());
            }
        }
    }
    let count = |target: &PathBuf| named.iter().filter(|other| *other == target).count();
    let shared = named
        .iter()
        .filter(|target| count(target) > 1 || is_a_module(target));
    let shared: Vec<_> = shared.collect();
    assert!(
        shared.is_empty(),
        "by #[path] these belong to two crates; a library target shares them: {shared:#?}"
    );
}
