//! The emoji there are, and finding one by code point or by a name that a design family gives it.
//!
//! Names are compared squashed: lower case, only letters and digits of ASCII. A name that fits several emoji fits none.
//! Code points are compared without the variation selector `FE0F` and without leading zeros.

use std::collections::HashMap;

use serde::Deserialize;

/// Lists of short names, from the most to the least trusted.
pub(super) const SHORTCODES: [&str; 7] =
    ["emojibase-legacy", "emojibase", "github", "iamcal", "joypixels", "cldr", "cldr-native"];

/// An emoji without a skin tone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Emoji {
    pub hexcode: String,
    pub label: String,
    /// Number of its group; components and regional indicators have 2 or none.
    pub group: Option<u8>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub skins: Vec<Skin>,
}

/// The same emoji in a skin tone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Skin {
    pub hexcode: String,
    pub label: String,
}

/// One or several short names.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Short {
    One(String),
    Many(Vec<String>),
}

/// A way in which an emoji was found; smaller is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    Plain,
    Shortcode,
    Toned,
}

/// Emoji by code point and by name.
pub(super) struct Labels {
    pub emoji: Vec<Emoji>,
    codes: HashMap<String, (usize, Found)>,
    /// Nothing where a name fits several.
    names: HashMap<String, Option<(usize, Found)>>,
}

impl Labels {
    /// Indexes the emoji; short names are added by [`Labels::add`].
    pub fn new(emoji: Vec<Emoji>) -> Self {
        let mut labels = Self { emoji: Vec::new(), codes: HashMap::new(), names: HashMap::new() };
        for (i, one) in emoji.iter().enumerate() {
            labels.codes.insert(plain_code(&one.hexcode), (i, Found::Plain));
            labels.name(&one.label, i, Found::Plain);
            for skin in &one.skins {
                labels.codes.insert(plain_code(&skin.hexcode), (i, Found::Toned));
                labels.name(&skin.label, i, Found::Toned);
            }
        }
        labels.emoji = emoji;
        labels
    }

    /// Adds a list of short names by code point. A label is not overridden.
    pub fn add(&mut self, shortcodes: HashMap<String, Short>) {
        let mut names: Vec<(String, usize)> = Vec::new();
        for (code, short) in shortcodes {
            let Some(&(i, Found::Plain)) = self.codes.get(&plain_code(&code)) else { continue };
            match short {
                Short::One(name) => names.push((name, i)),
                Short::Many(many) => names.extend(many.into_iter().map(|name| (name, i))),
            }
        }
        names.into_iter().for_each(|(name, i)| self.name(&name, i, Found::Shortcode));
    }

    fn name(&mut self, name: &str, i: usize, found: Found) {
        let new = (i, found);
        let entry = self.names.entry(squashed(name)).or_insert(Some(new));
        let clash = entry.is_none_or(|(known, how)| known != i && how == found);
        if clash {
            *entry = None;
        }
    }

    /// The emoji with these code points.
    pub fn by_code(&self, code: &str) -> Option<(usize, Found)> {
        self.codes.get(&plain_code(code)).copied()
    }

    /// The emoji that is called so.
    pub fn by_name(&self, name: &str) -> Option<(usize, Found)> {
        self.names.get(&squashed(name)).copied().flatten()
    }
}

/// Lower-case code points without variation selectors and leading zeros.
pub(super) fn plain_code(code: &str) -> String {
    let parts = code.split('-').map(|part| part.trim_start_matches('0').to_ascii_lowercase());
    parts.filter(|part| part != "fe0f").collect::<Vec<_>>().join("-")
}

/// Lower-case letters and digits of ASCII.
fn squashed(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        let emoji = r#"[{"hexcode": "1F986", "label": "duck", "group": 3, "tags": ["bird"]},
            {"hexcode": "2603-FE0F", "label": "snowman", "group": 5},
            {"hexcode": "1F44B", "label": "waving hand", "group": 1,
             "skins": [{"hexcode": "1F44B-1F3FB", "label": "waving hand: light skin tone"}]},
            {"hexcode": "0031-20E3", "label": "keycap"}, {"hexcode": "0032-20E3", "label": "keycap"}]"#;
        let mut labels = Labels::new(serde_json::from_str(emoji).unwrap());
        let short = r#"{"1F986": ["mallard", "snowman"], "2603": "frosty", "1F44B": "frosty", "F": "no_emoji"}"#;
        labels.add(serde_json::from_str(short).unwrap());
        labels
    }

    #[test]
    fn codes_come_in_many_spellings() {
        let labels = labels();
        assert_eq!(labels.by_code("1f986"), Some((0, Found::Plain)));
        assert_eq!(labels.by_code("2603"), Some((1, Found::Plain)));
        assert_eq!(labels.by_code("31-fe0f-20e3"), Some((3, Found::Plain)));
        assert_eq!(labels.by_code("1f44b-1f3fb"), Some((2, Found::Toned)));
        assert_eq!(labels.by_code("1f999"), None);
    }

    #[test]
    fn names_that_fit_several_fit_none() {
        let labels = labels();
        assert_eq!(labels.by_name("Duck"), Some((0, Found::Plain)));
        assert_eq!(labels.by_name("mallard"), Some((0, Found::Shortcode)));
        assert_eq!(labels.by_name("snow-man"), Some((1, Found::Plain)), "a label beats a short name");
        assert_eq!(labels.by_name("waving-hand-light-skin-tone"), Some((2, Found::Toned)));
        assert_eq!(labels.by_name("frosty"), None);
        assert_eq!(labels.by_name("keycap"), None);
        assert_eq!(labels.by_name("no_emoji"), None);
    }
}
