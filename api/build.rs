//! Embeds the web page (`web/dist`, built by `make web`) in the program. Without it the build still succeeds.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let web = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("web");
    let built = web.join("dist");
    let mut files = Vec::new();
    if built.is_dir() {
        println!("cargo::rerun-if-changed={}", built.display());
        collect(&built, &mut files)?;
    } else {
        // Cargo would rebuild each time for a path that doesn't exist, so it watches the directory in which it will appear.
        println!("cargo::rerun-if-changed={}", web.display());
    }
    files.sort();
    let entries = files.iter().map(|file| {
        let name = file.strip_prefix(&built).unwrap_or(file);
        format!(
            "({:?}, include_bytes!({:?})),\n",
            name.display().to_string(),
            file.display().to_string()
        )
    });
    let list = format!("&[\n{}]", entries.collect::<String>());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("web_files.rs"), list)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
