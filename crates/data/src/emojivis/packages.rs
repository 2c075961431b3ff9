//! The packages that EmojiVIS is made of: versions, checksums, families, licences.
//!
//! Whole design families are held out: a detector is validated on drawings by hands that it has never seen. The two sets of
//! EmojiOne are one family, and so are the two styles of Fluent.

use crate::scene::Split;

/// What is read from a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Names and groups of all emoji.
    Labels,
    /// SVG fragments by name (`icons.json`).
    Icons,
    /// WebP pictures named by code points.
    Pictures,
}

/// A pinned package.
#[derive(Clone, Copy, Debug)]
pub(super) struct Package {
    pub name: &'static str,
    pub version: &'static str,
    /// SHA-512 of the packed file, base64.
    pub sha512: &'static str,
    pub kind: Kind,
    /// Who drew it; packages of one family are one hand.
    pub family: &'static str,
    pub split: Split,
    pub licence: &'static str,
    pub credit: &'static str,
}

impl Package {
    /// Name and version, as the package client wants them.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// The file that `npm pack` makes.
    pub fn file(&self) -> String {
        format!("{}-{}.tgz", self.name.trim_start_matches('@').replace('/', "-"), self.version)
    }
}

const fn icons(
    (name, version): (&'static str, &'static str),
    sha512: &'static str,
    (family, split): (&'static str, Split),
    (licence, credit): (&'static str, &'static str),
) -> Package {
    Package { name, version, sha512, kind: Kind::Icons, family, split, licence, credit }
}

/// The packages, labels first.
pub(super) const PACKAGES: &[Package] = &[
    Package {
        name: "emojibase-data",
        version: "17.0.0",
        sha512: "Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==",
        kind: Kind::Labels,
        family: "labels",
        split: Split::Train,
        licence: "MIT",
        credit: "Emojibase, copyright Miles Johnson, https://github.com/milesj/emojibase",
    },
    icons(
        ("@iconify-json/twemoji", "1.2.5"),
        "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
        ("twemoji", Split::Train),
        ("CC-BY-4.0", "Twemoji, copyright Twitter, Inc and other contributors, https://github.com/jdecked/twemoji"),
    ),
    icons(
        ("@iconify-json/noto", "1.2.9"),
        "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
        ("noto", Split::Train),
        ("Apache-2.0", "Noto Emoji, copyright Google Inc, https://github.com/googlefonts/noto-emoji"),
    ),
    icons(
        ("@iconify-json/noto-v1", "1.2.5"),
        "/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA==",
        ("noto-v1", Split::Train),
        ("Apache-2.0", "Noto Emoji of 2013 to 2017, copyright Google Inc, https://github.com/googlefonts/noto-emoji"),
    ),
    icons(
        ("@iconify-json/emojione", "1.2.3"),
        "T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg==",
        ("emojione", Split::Train),
        (
            "CC-BY-4.0",
            "Emojitwo, formerly EmojiOne 2, copyright its contributors, https://github.com/EmojiTwo/emojitwo",
        ),
    ),
    icons(
        ("@iconify-json/emojione-v1", "1.2.3"),
        "UjI2VQEXVtGlPBvQuxEizro7QCgBcJDOYwKUupquvvZ8UV4xOlvm45IU82JYWegiAWLerY79gFLMZ26U6Ms+ww==",
        ("emojione", Split::Train),
        ("CC-BY-SA-4.0", "EmojiOne 1, copyright JoyPixels, https://github.com/joypixels/emojione-legacy"),
    ),
    icons(
        ("@iconify-json/fxemoji", "1.2.2"),
        "UAasRaxzFUKfIGSmLwnoarsssA4LX0VLLuEmplIqM6ZNQqIQRtav8tZ4H1neTlBreXuMQyAifr5jP4kn78DpiQ==",
        ("fxemoji", Split::Train),
        ("Apache-2.0", "FxEmojis, copyright Mozilla, https://github.com/mozilla/fxemoji"),
    ),
    icons(
        ("@iconify-json/openmoji", "1.2.29"),
        "vXdhkqcXVSO6suy+m9LbcUM3OdVyuNOtpV8/als/WqfkQIRxevL5Geb/g+6GH/Qwnq1OqksEmaDGTCmZ5nFKJQ==",
        ("openmoji", Split::Val),
        ("CC-BY-SA-4.0", "OpenMoji, copyright its contributors, https://github.com/hfg-gmuend/openmoji"),
    ),
    icons(
        ("@iconify-json/fluent-emoji-flat", "1.2.6"),
        "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",
        ("fluent", Split::Val),
        ("MIT", "Fluent Emoji, copyright Microsoft Corporation, https://github.com/microsoft/fluentui-emoji"),
    ),
    Package {
        name: "@lobehub/fluent-emoji-3d",
        version: "1.1.0",
        sha512: "Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g==",
        kind: Kind::Pictures,
        family: "fluent",
        split: Split::Val,
        licence: "MIT",
        credit: "Fluent Emoji 3D, copyright Microsoft Corporation, packed by LobeHub, https://github.com/lobehub/fluent-emoji",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_family_is_on_both_sides() {
        let families = |split| -> BTreeSet<_> {
            let drawn = PACKAGES.iter().filter(|package| package.kind != Kind::Labels && package.split == split);
            drawn.map(|package| package.family).collect()
        };
        assert!(families(Split::Train).is_disjoint(&families(Split::Val)));
        assert_eq!((families(Split::Train).len(), families(Split::Val).len()), (5, 2));
        assert!(PACKAGES.iter().all(|package| package.sha512.len() == 88));
    }

    #[test]
    fn files_are_named_as_the_client_names_them() {
        assert_eq!(PACKAGES[1].file(), "iconify-json-twemoji-1.2.5.tgz");
        assert_eq!(PACKAGES[0].file(), "emojibase-data-17.0.0.tgz");
    }
}
