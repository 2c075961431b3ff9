//! Which crate may use which: read from the manifests, compared with the arrows of ARCHITECTURE.md.

use std::fs;

use crate::root;

/// Folder of a crate, the crates of this workspace that it may use, and what it must never use.
const ALLOWED: &[(&str, &[&str], &[&str])] = &[
    ("data", &[], &["burn", "clap", "anyhow", "indicatif"]),
    ("eval", &["data"], &["burn", "clap", "anyhow", "indicatif"]),
    ("loss", &[], &["image", "clap", "anyhow", "indicatif"]),
    ("detect", &["data", "loss"], &["clap", "anyhow", "indicatif"]),
    ("train", &["data", "eval", "loss", "detect"], &["clap", "anyhow", "indicatif"]),
    ("cli", &["data", "eval", "loss", "detect", "train"], &[]),
];

/// Prints the arrows; an error lists those that must not be.
pub fn run() -> Result<(), String> {
    let mut wrong = Vec::new();
    let mut folders: Vec<String> = fs::read_dir(root().join("crates"))
        .map_err(|error| format!("cannot read `crates`: {error}"))?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    folders.sort();
    for folder in folders {
        let Some((_, allowed, banned)) = ALLOWED.iter().find(|(name, ..)| *name == folder) else {
            wrong.push(format!("crates/{folder} has no line in xtask/src/arrows.rs"));
            continue;
        };
        let path = root().join("crates").join(&folder).join("Cargo.toml");
        let manifest =
            fs::read_to_string(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        let used = dependencies(&manifest);
        let own: Vec<&str> = used.iter().filter_map(|name| name.strip_prefix("equipoise-")).collect();
        println!("{folder} -> {}", if own.is_empty() { "nothing".into() } else { own.join(", ") });
        wrong.extend(
            own.iter().filter(|name| !allowed.contains(name)).map(|name| format!("{folder} must not use {name}")),
        );
        wrong.extend(
            used.iter()
                .filter(|name| banned.contains(&name.as_str()))
                .map(|name| format!("{folder} must not use {name}")),
        );
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n       ")) }
}

/// Names under `[dependencies]`, also those with a table or a target of their own; development and build dependencies do not ship.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = header == "dependencies" || header.ends_with(".dependencies");
            if let Some((_, name)) = header.rsplit_once("dependencies.").filter(|(before, _)| !before.ends_with('-')) {
                names.push(name.to_string());
            }
        } else if inside && !line.starts_with('#') {
            names.extend(line.split_once(['=', '.', ' ']).map(|(name, _)| name.trim_matches('"').to_string()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::dependencies;

    #[test]
    fn every_way_to_write_a_dependency_is_seen() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\n# burn = \"1\"\na.workspace = true\nb = \"1\"\n\
                        [dev-dependencies]\nc = \"1\"\n[dev-dependencies.d]\nversion = \"1\"\n[dependencies.e]\nversion = \"1\"\n\
                        [target.'cfg(unix)'.dependencies]\nf = \"1\"\n";
        assert_eq!(dependencies(manifest), ["a", "b", "e", "f"]);
    }
}
