//! CONTRIBUTING.md shows the diffs that other tests apply, not older ones.

use std::path::Path;

#[test]
fn contributing_shows_the_diffs_that_are_applied() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let contributing = read("CONTRIBUTING.md");
    let route = read("api/tests/adding_a_route.diff");
    // Each part begins with a file's name; a snapshot of the document would only be long.
    for part in route
        .split("diff --git ")
        .filter(|part| part.starts_with("a/api/src/"))
    {
        assert!(contributing.contains(part.trim_end()), "{part}");
    }
    let method = read("idl/tests/adding_a_method.diff");
    assert!(contributing.contains(method.trim_end()), "{method}");
}
