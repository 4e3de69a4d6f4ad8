//! No import circles between the files of a room.
//!
//! A file imports the file that defines a name, whether it names it by `use`, by a path that begins with `crate`, `super` or `self`, or by a
//! path that begins with a child module. A name that a module only re-exports or imports leads to the file that defines it. `mod child;` and
//! the `pub use` of a child's name by its parent are no imports; a child that imports from its parent's own file is one. Inline test modules
//! don't count.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::metadata;

/// One file of a crate.
struct Module {
    file: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    imports: Vec<Import>,
}

/// A path that a file names.
struct Import {
    path: Vec<String>,
    /// What it is called in this file; `None`: it is used where it stands.
    name: Option<String>,
    is_public: bool,
}

/// The modules of one crate; the first is its root.
struct Modules(Vec<Module>);

impl Modules {
    fn read(root: &Path) -> Self {
        let mut modules = Self(Vec::new());
        let directory = root.parent().unwrap();
        modules.add(root.to_owned(), None, directory);
        modules
    }

    /// Adds a file with its children, which are in `directory`.
    fn add(&mut self, file: PathBuf, parent: Option<usize>, directory: &Path) -> usize {
        let source = code(&fs::read_to_string(&file).unwrap());
        let number = self.0.len();
        self.0.push(Module {
            file,
            parent,
            children: BTreeMap::new(),
            imports: Vec::new(),
        });
        for name in child_modules(&source) {
            let inner = directory.join(&name);
            let files = [directory.join(format!("{name}.rs")), inner.join("mod.rs")];
            if let Some(file) = files.into_iter().find(|file| file.exists()) {
                let child = self.add(file, Some(number), &inner);
                self.0[number].children.insert(name, child);
            }
        }
        self.0[number].imports = imports(&source);
        number
    }

    /// The file that defines what `path` names in module `from`; `None`: it is of another crate.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<usize> {
        // Two modules that pass each other's names on would never end.
        if depth == 0 {
            return None;
        }
        let (mut module, mut rest) = (from, path);
        match path.first()?.as_str() {
            "crate" => (module, rest) = (0, &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    (module, rest) = (self.0[module].parent?, &rest[1..]);
                }
            }
            name if self.0[from].children.contains_key(name) => {}
            _ => return None,
        }
        while let Some(child) = rest
            .first()
            .and_then(|part| self.0[module].children.get(part))
        {
            (module, rest) = (*child, &rest[1..]);
        }
        let Some(item) = rest.first().filter(|item| *item != "*") else {
            return Some(module);
        };
        let mut imports = self.0[module].imports.iter();
        match imports.find(|import| import.name.as_ref() == Some(item)) {
            Some(import) => {
                let path = [&import.path[..], &rest[1..]].concat();
                self.resolve(module, &path, depth - 1)
            }
            None => Some(module),
        }
    }

    fn is_inside(&self, module: usize, ancestor: usize) -> bool {
        let mut parents = std::iter::successors(Some(module), |module| self.0[*module].parent);
        parents.any(|parent| parent == ancestor)
    }

    fn edges(&self) -> Vec<BTreeSet<usize>> {
        let numbered = self.0.iter().enumerate();
        let edges = numbered.map(|(from, module)| {
            let targets = module.imports.iter().filter_map(|import| {
                let to = self.resolve(from, &import.path, 8)?;
                let is_passed_on = import.is_public && self.is_inside(to, from);
                (to != from && !is_passed_on).then_some(to)
            });
            targets.collect()
        });
        edges.collect()
    }

    /// A shortest circle through each file that is in one.
    fn circles(&self) -> Vec<Vec<PathBuf>> {
        let edges = self.edges();
        let mut found = Vec::new();
        let mut told = BTreeSet::new();
        for start in 0..edges.len() {
            if told.contains(&start) {
                continue;
            }
            if let Some(circle) = circle_through(start, &edges) {
                told.extend(circle.iter().copied());
                let files = circle.iter().map(|module| self.0[*module].file.clone());
                found.push(files.collect());
            }
        }
        found
    }
}

/// The shortest path from `start` back to itself.
fn circle_through(start: usize, edges: &[BTreeSet<usize>]) -> Option<Vec<usize>> {
    let mut paths = std::collections::VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop_front() {
        for next in &edges[*path.last()?] {
            if *next == start {
                return Some(path);
            }
            if seen.insert(*next) {
                paths.push_back([&path[..], &[*next]].concat());
            }
        }
    }
    None
}

/// The source without comments, texts and the tests at its end.
fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    for line in source.lines() {
        let line = line.split("//").next().unwrap_or_default();
        code.push_str(line);
        code.push('\n');
    }
    let tests = code.find("#[cfg(test)]\nmod tests {");
    code.truncate(tests.unwrap_or(code.len()));
    // What stands in a text is no path: in our sources a text doesn't hold an escaped quote and a path both.
    let texts = code.split('"').enumerate();
    texts
        .filter(|(n, _)| n % 2 == 0)
        .map(|(_, part)| part)
        .collect::<Vec<_>>()
        .join("\"")
}

/// The names of `mod name;`, but for tests.
fn child_modules(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in code.lines().map(str::trim) {
        let declared = line.rsplit_once("mod ").and_then(|(before, name)| {
            let is_declaration = before.is_empty() || before.starts_with("pub");
            name.strip_suffix(';').filter(|_| is_declaration)
        });
        if let Some(name) = declared.filter(|_| !is_test) {
            names.push(name.to_owned());
        }
        is_test = line == "#[cfg(test)]" || (is_test && line.starts_with("#["));
    }
    names
}

/// Everything that a file names: its `use` declarations, and the paths in its code.
fn imports(code: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let mut rest = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let declared = line.split_once("use ").filter(|(before, _)| {
            let before = before.trim();
            before.is_empty() || before.starts_with("pub")
        });
        let Some((before, tree)) = declared else {
            rest.push_str(line);
            rest.push('\n');
            continue;
        };
        let mut tree = tree.to_owned();
        while !tree.contains(';') {
            tree.push_str(lines.next().unwrap_or(";"));
        }
        let tree = tree.split(';').next().unwrap_or_default();
        add_tree(&mut found, &[], tree, before.contains("pub"));
    }
    for path in paths(&rest) {
        found.push(Import {
            path,
            name: None,
            is_public: false,
        });
    }
    found
}

/// The paths of a tree such as `a::{b, c::d as e}` behind `prefix`.
fn add_tree(found: &mut Vec<Import>, prefix: &[String], tree: &str, is_public: bool) {
    let (head, group) = match tree.split_once('{') {
        Some((head, group)) => (head, group.rsplit_once('}').map(|(group, _)| group)),
        None => (tree, None),
    };
    let (head, alias) = match head.split_once(" as ") {
        Some((head, alias)) => (head, Some(alias.trim())),
        None => (head, None),
    };
    let parts = head.split("::").map(str::trim);
    let parts = parts.filter(|part| !part.is_empty()).map(str::to_owned);
    let mut path: Vec<String> = prefix.iter().cloned().chain(parts).collect();
    let Some(group) = group else {
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = alias.map(str::to_owned).or_else(|| path.last().cloned());
        found.push(Import {
            path,
            name,
            is_public,
        });
        return;
    };
    let (mut depth, mut start) = (0_usize, 0);
    for (at, letter) in group.char_indices().chain([(group.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let tree = group[start..at].trim();
                if !tree.is_empty() {
                    add_tree(found, &path, tree, is_public);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The paths of at least two parts in code.
fn paths(code: &str) -> Vec<Vec<String>> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    code.split(|letter| !is_part(letter))
        .filter(|word| word.contains("::") && !word.starts_with(':'))
        .map(|path| {
            let parts = path.split("::").filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        })
        .collect()
}

/// What a circle is called in the list of the known ones, and for people.
fn told(circle: &[PathBuf], workspace: &Path) -> String {
    let files = circle.iter().chain(circle.first());
    let files = files.map(|file| {
        let file = file.strip_prefix(workspace).unwrap_or(file);
        file.display().to_string()
    });
    files.collect::<Vec<_>>().join(" -> ")
}

#[test]
fn no_files_of_a_room_import_each_other_in_a_circle() {
    let metadata = metadata();
    let mut found = Vec::new();
    for package in &metadata.packages {
        let targets = package.targets.iter().filter(|target| {
            let kinds = ["lib", "bin", "custom-build"];
            target
                .kind
                .iter()
                .any(|kind| kinds.contains(&kind.as_str()))
        });
        for target in targets {
            for circle in Modules::read(&target.src_path).circles() {
                let told = told(&circle, &metadata.workspace_root);
                found.push(told);
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The circles in a crate of these files, with the names of their files.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    for (name, source) in files {
        let file = directory.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, source).unwrap();
    }
    let circles = Modules::read(&directory.path().join("lib.rs")).circles();
    let told = circles.iter().map(|circle| told(circle, directory.path()));
    told.collect()
}

#[test]
fn a_circle_is_found_also_through_names_that_are_passed_on_and_told_by_its_files() {
    let direct = circles_of(&[
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b::B;\npub struct A;\n"),
        ("b.rs", "use super::a::{self, A};\npub struct B;\n"),
    ]);
    assert_eq!(direct, ["a.rs -> b.rs -> a.rs"]);
    let passed_on = circles_of(&[
        (
            "lib.rs",
            "mod a;\nmod b;\npub use a::A;\npub use b::{B as C};\n",
        ),
        ("a.rs", "use crate::C;\npub struct A;\n"),
        ("b.rs", "use crate::{\n    A,\n};\npub struct B;\n"),
    ]);
    assert_eq!(passed_on, ["a.rs -> b.rs -> a.rs"]);
    let in_code = circles_of(&[
        (
            "lib.rs",
            "mod a;\npub struct Root;\npub fn run() {\n    a::run();\n}\n",
        ),
        (
            "a.rs",
            "pub fn run() -> crate::Root {\n    crate::Root\n}\n",
        ),
    ]);
    assert_eq!(in_code, ["lib.rs -> a.rs -> lib.rs"]);
}

#[test]
fn a_parent_that_only_passes_on_what_its_children_define_makes_no_circle() {
    let found = circles_of(&[
        (
            "lib.rs",
            "mod a;\nmod b;\npub use a::A;\npub struct Root;\n",
        ),
        (
            "a/mod.rs",
            "mod inner;\npub use inner::Inner;\npub struct A;\nuse crate::Root;\n",
        ),
        ("a/inner.rs", "use super::A;\npub struct Inner;\n"),
        (
            "b.rs",
            "use crate::a::A; // crate::c\npub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}\n",
        ),
    ]);
    assert!(found.is_empty(), "{found:?}");
}
