//! Every drawing of every emoji, by class and split: the packages' contents, matched.
//!
//! Packages with `chars.json` are matched by code point, the others by name; pictures are named by code point. Of several drawings of one
//! package for the same code point the best-named counts. Skin tones are further drawings of their class.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    labels::{Emoji, Found, Labels, SHORTCODES, plain_code},
    packages::{Kind, Package},
    store::Store,
};
use crate::{DataError, Result, scene::Split};

/// Most aliases followed from one icon to the next.
const MOST_ALIASES: usize = 8;

/// How a drawing is stored.
#[derive(Clone, Debug)]
pub(super) enum Art {
    Svg(String),
    WebP(Vec<u8>),
}

/// A drawing of a class.
#[derive(Clone, Debug)]
pub(super) struct Drawing {
    /// Place of its package in the table.
    pub package: usize,
    /// Name in the package.
    pub name: String,
    pub art: Art,
}

/// A class with the numbers of its drawings.
pub(super) struct Class {
    pub emoji: Emoji,
    pub train: Vec<usize>,
    pub val: Vec<usize>,
    /// Families among its training drawings.
    pub families: usize,
}

/// All classes and drawings.
pub(super) struct Catalogue {
    pub classes: Vec<Class>,
    pub drawings: Vec<Drawing>,
}

#[derive(Deserialize)]
struct IconSet {
    icons: BTreeMap<String, Icon>,
    #[serde(default)]
    aliases: BTreeMap<String, Alias>,
    #[serde(default = "default_side")]
    width: f64,
    #[serde(default = "default_side")]
    height: f64,
}

#[derive(Deserialize)]
struct Icon {
    body: String,
    width: Option<f64>,
    height: Option<f64>,
    left: Option<f64>,
    top: Option<f64>,
}

#[derive(Deserialize)]
struct Alias {
    parent: String,
    #[serde(default, rename = "hFlip")]
    mirrored: bool,
}

/// What Iconify means when a set gives no size.
fn default_side() -> f64 {
    16.0
}

impl Catalogue {
    /// Reads and matches what the packages in the store hold.
    ///
    /// # Errors
    /// [`DataError::Package`] when a package lacks what it should hold.
    pub fn read(store: &Store, packages: &[Package]) -> Result<Self> {
        let mut labels = None;
        for package in packages.iter().filter(|package| package.kind == Kind::Labels) {
            labels = Some(read_labels(store, package)?);
        }
        let labels = labels.unwrap_or_else(|| Labels::new(Vec::new()));
        let mut drawings = Vec::new();
        let mut of_class: Vec<[Vec<usize>; 2]> = vec![[Vec::new(), Vec::new()]; labels.emoji.len()];
        for (index, package) in packages.iter().enumerate() {
            let found = match package.kind {
                Kind::Labels => continue,
                Kind::Icons => read_icons(store, package, &labels)?,
                Kind::Pictures => read_pictures(store, package, &labels)?,
            };
            for (class, name, art) in found {
                of_class[class][usize::from(package.split == Split::Val)].push(drawings.len());
                drawings.push(Drawing { package: index, name, art });
            }
        }
        let class = |(emoji, [train, val]): (Emoji, [Vec<usize>; 2])| {
            let families: BTreeSet<&str> =
                train.iter().map(|&i: &usize| packages[drawings[i].package].family).collect();
            Class { emoji, families: families.len(), train, val }
        };
        let classes = labels.emoji.into_iter().zip(of_class).map(class).collect();
        Ok(Self { classes, drawings })
    }
}

fn parse<T: DeserializeOwned>(store: &Store, package: &Package, name: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| DataError::Package {
        package: package.id(),
        problem: format!("`{name}` in it is not what it should be ({e})"),
        store: store.dir.to_path_buf(),
    })
}

/// The bytes of the named files of a package; those that are missing are empty JSON objects.
fn files(store: &Store, package: &Package, names: &[String]) -> Result<HashMap<String, Vec<u8>>> {
    let mut found: HashMap<String, Vec<u8>> = names.iter().map(|name| (name.clone(), b"{}".to_vec())).collect();
    store.read(
        package,
        |name| names.iter().any(|wanted| wanted == name),
        |name, bytes| {
            found.insert(name.to_owned(), bytes);
            Ok(())
        },
    )?;
    Ok(found)
}

fn read_labels(store: &Store, package: &Package) -> Result<Labels> {
    let shortcodes = SHORTCODES.map(|list| format!("en/shortcodes/{list}.json"));
    let names = [&["en/data.json".to_owned()][..], &shortcodes].concat();
    let files = files(store, package, &names)?;
    let mut labels = Labels::new(parse(store, package, &names[0], &files[&names[0]])?);
    for name in &shortcodes {
        labels.add(parse(store, package, name, &files[name])?);
    }
    Ok(labels)
}

/// Class, name and art of every drawing.
type Matched = Vec<(usize, String, Art)>;

fn read_icons(store: &Store, package: &Package, labels: &Labels) -> Result<Matched> {
    let names = ["icons.json", "chars.json"].map(str::to_owned);
    let files = files(store, package, &names)?;
    let set: IconSet = parse(store, package, &names[0], &files[&names[0]])?;
    let chars: BTreeMap<String, String> = parse(store, package, &names[1], &files[&names[1]])?;
    // The best name of every class and, for skin tones, of every icon.
    let mut best: BTreeMap<(usize, Option<&str>), (Found, &str)> = BTreeMap::new();
    let mut offer = |found: Option<(usize, Found)>, name| {
        let Some((class, how)) = found else { return };
        let tone = (how == Found::Toned).then_some(name);
        let known = best.entry((class, tone)).or_insert((how, name));
        *known = (*known).min((how, name));
    };
    if chars.is_empty() {
        set.icons.keys().chain(set.aliases.keys()).for_each(|name| offer(labels.by_name(name), name));
    } else {
        chars.iter().for_each(|(code, name)| offer(labels.by_code(code), name));
    }
    let mut matched = Matched::new();
    let mut seen = BTreeSet::new();
    for ((class, _), (_, name)) in best {
        let Some((icon, mirrored)) = resolve(&set, name) else { continue };
        if seen.insert((class, icon)) {
            matched.push((class, icon.to_owned(), Art::Svg(document(&set, icon, mirrored))));
        }
    }
    Ok(matched)
}

/// The icon behind a name, and whether it is mirrored.
fn resolve<'a>(set: &'a IconSet, name: &'a str) -> Option<(&'a str, bool)> {
    let (mut name, mut mirrored) = (name, false);
    for _ in 0..MOST_ALIASES {
        if let Some((icon, _)) = set.icons.get_key_value(name) {
            return Some((icon, mirrored));
        }
        let alias = set.aliases.get(name)?;
        mirrored ^= alias.mirrored;
        name = &alias.parent;
    }
    None
}

/// An icon is a fragment; this is the whole document.
fn document(set: &IconSet, name: &str, mirrored: bool) -> String {
    let Icon { body, width, height, left, top } = &set.icons[name];
    let (width, height) = (width.unwrap_or(set.width), height.unwrap_or(set.height));
    let (left, top) = (left.unwrap_or(0.0), top.unwrap_or(0.0));
    let head = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" height="{height}" viewBox="{left} {top} {width} {height}">"#
    );
    if mirrored {
        let shift = 2.0 * left + width;
        format!(r#"{head}<g transform="matrix(-1 0 0 1 {shift} 0)">{body}</g></svg>"#)
    } else {
        format!("{head}{body}</svg>")
    }
}

fn read_pictures(store: &Store, package: &Package, labels: &Labels) -> Result<Matched> {
    let mut found: BTreeMap<(usize, String), Vec<u8>> = BTreeMap::new();
    store.read(
        package,
        |name| name.starts_with("assets/") && name.ends_with(".webp"),
        |name, bytes| {
            let code = &name["assets/".len()..name.len() - ".webp".len()];
            if let Some((class, _)) = labels.by_code(code) {
                found.insert((class, plain_code(code)), bytes);
            }
            Ok(())
        },
    )?;
    Ok(found.into_iter().map(|((class, code), bytes)| (class, code, Art::WebP(bytes))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> IconSet {
        serde_json::from_str(
            r#"{"width": 32, "height": 32, "icons": {"left": {"body": "<path/>", "height": 16, "top": 8}},
                "aliases": {"right": {"parent": "left", "hFlip": true}, "starboard": {"parent": "right"},
                            "loop": {"parent": "loop"}, "lost": {"parent": "gone"}}}"#,
        )
        .unwrap()
    }

    #[test]
    fn aliases_lead_to_icons_or_nowhere() {
        let set = set();
        assert_eq!(resolve(&set, "left"), Some(("left", false)));
        assert_eq!(resolve(&set, "starboard"), Some(("left", true)));
        assert_eq!(resolve(&set, "loop"), None);
        assert_eq!(resolve(&set, "lost"), None);
    }

    #[test]
    fn fragments_become_documents() {
        let set = set();
        let plain = document(&set, "left", false);
        assert!(plain.contains(r#"viewBox="0 8 32 16""#) && plain.ends_with("<path/></svg>"));
        assert!(document(&set, "left", true).contains("matrix(-1 0 0 1 32 0)"));
    }
}
