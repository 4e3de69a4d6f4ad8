//! Rules for the source tree: which room may import what (the table is in README.md), one version for each dependency, no long files.
//!
//! An import through another room counts too: no crate that `dal` uses may use what `dal` may not.

mod circles;
mod names;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

/// Longest source file, in lines; at 400 one starts to think of two.
const MAX_LINES: usize = 500;

/// One dependency of a package of the workspace.
#[derive(Debug, Clone)]
struct Import {
    /// Package name.
    name: String,
    /// Directory in the workspace, `rpc/user`; `None` for a crate of others.
    room: Option<String>,
    for_tests: bool,
}

/// Why `room` may not import `import`, itself or through another room; `None` if it may.
fn objection(room: &str, import: &Import, direct: bool) -> Option<&'static str> {
    let name = import.name.as_str();
    let target = import.room.as_deref().unwrap_or_default();
    let (kind, target_kind) = (kind(room), kind(target));
    let is_ours = import.room.is_some();
    // Services share one library, which is none itself.
    let is_shared = kind == "rpc" && target == "rpc/server";
    if target_kind == "rpc" && target != room && !is_shared {
        return Some("a service is reached by RPC, never as a crate");
    }
    if target == "pkg/chaos" && !(import.for_tests && matches!(room, "api" | "dal")) {
        return Some("chaos is for the tests of api and dal");
    }
    if import.for_tests {
        return None;
    }
    if target == "pkg/testkit" && room != "pkg/chaos" {
        return Some("testkit is for tests");
    }
    if target == "pkg/echo" {
        return Some("echo is for tests");
    }
    let speaks_sql = ["sea-orm", "sqlx", "mysql"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    let speaks_redis = name == "fred" || target == "pkg/redis-client";
    let speaks_rpc = ["volo", "pilota", "motore", "metainfo"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    match kind {
        "idl" if is_ours && target_kind != "idl" => Some("idl imports nothing of ours"),
        "api" if target == "dal" || speaks_sql => Some("the API is stateless: data comes by RPC"),
        // What a tool keeps in Redis is the tool's affair: the marks, for one.
        "api" if speaks_redis && direct => Some("the API asks a tool, never Redis"),
        "rpc" if name == "volo-http" || target == "api" => Some("a service speaks no HTTP"),
        "dal" if speaks_rpc => Some("the data layer knows nothing of RPC or HTTP"),
        "dal" if matches!(target_kind, "idl" | "api") => Some("the data layer knows no interface"),
        "pkg" if matches!(target_kind, "dal" | "api") => Some("a tool knows no domain"),
        "idl" | "api" | "rpc" | "dal" | "pkg" => None,
        _ => Some("this room is not in the table: add its rule here and to the design"),
    }
}

/// The table's row: the first part of the directory.
fn kind(room: &str) -> &str {
    room.split('/').next().unwrap_or_default()
}

/// What these tests read of `cargo metadata --format-version 1`, a format that cargo keeps.
/// The crate `cargo_metadata` would turn on features that the programs don't need, and so have
/// `make run-all` and `make test` each build a third of the system for themselves.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
    /// Whether `cargo test` builds and runs its unit tests.
    test: bool,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None`: what the package itself is built from.
    kind: Option<String>,
    path: Option<PathBuf>,
}

fn metadata() -> Metadata {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .expect("cargo metadata");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {complaint}");
    serde_json::from_slice(&output.stdout).expect("what cargo metadata prints")
}

/// Imports by room.
fn imports(metadata: &Metadata) -> BTreeMap<String, Vec<Import>> {
    let root = &metadata.workspace_root;
    let room = |path: &Path| {
        let room = path.strip_prefix(root).ok()?;
        room.to_str().map(str::to_owned)
    };
    let of = |package: &Package| {
        let imports = package.dependencies.iter().map(|dependency| Import {
            name: dependency.name.clone(),
            room: dependency.path.as_deref().and_then(room),
            for_tests: dependency.kind.as_deref() == Some("dev"),
        });
        let directory = package.manifest_path.parent().and_then(room);
        (
            directory.expect("a package inside the workspace"),
            imports.collect(),
        )
    };
    metadata.packages.iter().map(of).collect()
}

/// Everything forbidden that `room` imports, itself or through other rooms, as sentences.
fn violations(room: &str, imports: &BTreeMap<String, Vec<Import>>) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![(room.to_owned(), String::new())];
    while let Some((via, path)) = open.pop() {
        let direct = via == room;
        for import in imports.get(&via).into_iter().flatten() {
            // What another room needs for its tests is not imported along with it.
            if import.for_tests && !direct {
                continue;
            }
            if let Some(reason) = objection(room, import, direct) {
                found.push(format!("{room} imports {}{path}: {reason}", import.name));
            }
            if let Some(next) = &import.room
                && !import.for_tests
                && seen.insert(next.clone())
            {
                open.push((next.clone(), format!(" (through {next})")));
            }
        }
    }
    found
}

#[test]
fn no_room_imports_what_the_table_forbids() {
    let imports = imports(&metadata());
    let found: Vec<String> = imports
        .keys()
        .flat_map(|room| violations(room, &imports))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_rules_refuse_forbidden_imports_and_accept_the_others() {
    let crate_of_others = |name: &str| Import {
        name: name.to_owned(),
        room: None,
        for_tests: false,
    };
    let ours = |room: &str| Import {
        name: room.replace('/', "-"),
        room: Some(room.to_owned()),
        for_tests: false,
    };
    let for_tests = |import: Import| Import {
        for_tests: true,
        ..import
    };
    let forbidden = [
        ("idl", ours("pkg/settings")),
        ("idl", ours("dal")),
        ("api", ours("dal")),
        ("api", ours("rpc/user")),
        ("api", ours("rpc/server")),
        ("rpc/server", ours("rpc/user")),
        ("api", crate_of_others("sea-orm")),
        ("api", crate_of_others("sqlx")),
        ("api", crate_of_others("fred")),
        ("api", ours("pkg/redis-client")),
        ("api", ours("pkg/chaos")),
        ("rpc/user", for_tests(ours("pkg/chaos"))),
        ("pkg/service", ours("pkg/echo")),
        ("api", ours("pkg/testkit")),
        ("api", for_tests(ours("rpc/user"))),
        ("rpc/user", crate_of_others("volo-http")),
        ("rpc/user", ours("rpc/video")),
        ("rpc/user", ours("api")),
        ("rpc/user", for_tests(ours("rpc/video"))),
        ("dal", crate_of_others("volo")),
        ("dal", crate_of_others("volo-thrift")),
        ("dal", ours("idl")),
        ("dal", ours("api")),
        ("dal", ours("rpc/video")),
        ("pkg/auth", ours("dal")),
        ("pkg/auth", ours("rpc/user")),
        ("pkg/auth", ours("api")),
        ("common", crate_of_others("serde")),
    ];
    for (room, import) in &forbidden {
        assert!(
            objection(room, import, true).is_some(),
            "{room} may not import {import:?}"
        );
    }
    let allowed = [
        ("idl", crate_of_others("volo-thrift")),
        ("api", ours("idl")),
        ("api", ours("pkg/auth")),
        ("api", ours("pkg/limits")),
        ("api", ours("pkg/marks")),
        ("api", crate_of_others("volo-http")),
        ("api", for_tests(ours("pkg/testkit"))),
        ("api", for_tests(ours("pkg/chaos"))),
        ("idl", ours("idl/rules")),
        ("rpc/user", ours("dal")),
        ("rpc/user", ours("idl")),
        ("rpc/user", ours("rpc/server")),
        ("rpc/user", for_tests(ours("pkg/registry"))),
        ("dal", crate_of_others("sea-orm")),
        ("dal", ours("pkg/settings")),
        ("pkg/testkit", crate_of_others("sea-orm")),
        ("pkg/chaos", ours("pkg/testkit")),
        ("pkg/service", ours("pkg/registry")),
        ("pkg/service", for_tests(ours("idl"))),
    ];
    for (room, import) in &allowed {
        assert_eq!(
            objection(room, import, true),
            None,
            "{room} may import {import:?}"
        );
    }
}

#[test]
fn an_import_through_another_room_is_found() {
    let import = |room: &str, for_tests| Import {
        name: room.to_owned(),
        room: Some(room.to_owned()),
        for_tests,
    };
    let volo = Import {
        name: "volo".to_owned(),
        room: None,
        for_tests: false,
    };
    let with_edges = |for_tests| {
        BTreeMap::from([
            ("dal".to_owned(), vec![import("pkg/telemetry", false)]),
            (
                "pkg/telemetry".to_owned(),
                vec![import("pkg/registry", for_tests)],
            ),
            ("pkg/registry".to_owned(), vec![volo.clone()]),
        ])
    };
    assert_eq!(violations("dal", &with_edges(false)).len(), 1);
    assert_eq!(violations("dal", &with_edges(true)).len(), 0);
}

/// The keys of a manifest's section, with their lines. Our manifests keep one dependency on one line.
fn section(manifest: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<(&str, &str)> {
    let mut wanted = false;
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            wanted = is_wanted(line);
        } else if wanted && !line.is_empty() && !line.starts_with('#') {
            let key = line.split(['.', '=', ' ']).next().unwrap_or_default();
            found.push((key, line));
        }
    }
    found
}

#[test]
fn every_dependency_has_its_one_pin_in_the_workspace_and_every_package_its_lints() {
    let metadata = metadata();
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for package in &metadata.packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        for (key, line) in section(&manifest, |heading| heading.ends_with("dependencies]")) {
            used.insert(key.to_owned());
            if !line.contains("workspace = true") {
                found.push(format!(
                    "{}: {line}: the version belongs into [workspace.dependencies]",
                    package.name
                ));
            }
        }
        // Generated code needs `unsafe`, so idl spells its lints out.
        let own_lints = package.name == "idl" && manifest.contains("[lints.clippy]");
        if !own_lints
            && section(&manifest, |heading| heading == "[lints]")
                != [("workspace", "workspace = true")]
        {
            found.push(format!(
                "{}: [lints] workspace = true is missing",
                package.name
            ));
        }
    }
    let root = std::fs::read_to_string(metadata.workspace_root.join("Cargo.toml")).unwrap();
    for (key, _) in section(&root, |heading| heading == "[workspace.dependencies]") {
        if !used.contains(key) {
            found.push(format!("{key} is pinned, but nobody uses it"));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// A program or a library without unit tests builds no test binary; one that gets its first must build it again.
#[test]
fn no_unit_test_is_switched_off() {
    let mut switched_off = Vec::new();
    for package in metadata().packages {
        for target in package.targets.iter().filter(|target| !target.test) {
            let mut files = vec![target.src_path.clone()];
            let is_lib = target.kind.iter().any(|kind| kind == "lib");
            if is_lib {
                sources(target.src_path.parent().unwrap(), &mut files);
            }
            let has_tests = |path: &Path| {
                let text = std::fs::read_to_string(path).unwrap();
                ["#[cfg(test)]", "#[test]", "#[tokio::test"]
                    .iter()
                    .any(|mark| text.contains(mark))
            };
            if files.iter().any(|path| has_tests(path)) {
                switched_off.push(format!("{}: {}", package.name, target.name));
            }
        }
    }
    assert!(
        switched_off.is_empty(),
        "these have unit tests, but `test = false` in their manifest: {switched_off:?}"
    );
}

#[test]
fn no_source_file_is_too_long() {
    let root = metadata().workspace_root;
    let mut files = Vec::new();
    for room in ["idl", "api", "dal", "rpc", "pkg"] {
        sources(&root.join(room), &mut files);
    }
    assert!(files.len() > 10, "the sources were not found");
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap().lines().count();
    let too_long: Vec<_> = files
        .iter()
        .filter(|path| lines(path) > MAX_LINES)
        .collect();
    assert!(too_long.is_empty(), "over {MAX_LINES} lines: {too_long:#?}");
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_ours = !["target", "node_modules"]
            .iter()
            .any(|name| path.ends_with(name));
        if path.is_dir() && is_ours {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
