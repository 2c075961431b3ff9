//! The identity of a data set's classes: a checkpoint of one list must not be used with another.

use crate::{CategoryId, Dataset};

/// Ids and names of the classes in [`ClassIndex`](crate::ClassIndex) order.
///
/// ```
/// use equipoise_data::{CategoryId, ClassList};
///
/// let list = ClassList { ids: vec![CategoryId(1), CategoryId(5)], names: vec!["cat".into(), "yak".into()] };
/// let other = ClassList { ids: list.ids.clone(), names: vec!["cat".into(), "emu".into()] };
/// assert_ne!(list.hash_hex(), other.hash_hex());
/// assert_eq!(list.difference(&other).unwrap(), "class 1 is 5 `yak` in the first and 5 `emu` in the second");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassList {
    /// Ids in the file.
    pub ids: Vec<CategoryId>,
    /// Names in the file.
    pub names: Vec<String>,
}

impl ClassList {
    /// The classes of `dataset`.
    pub fn of(dataset: &Dataset) -> Self {
        Self {
            ids: dataset.categories.iter().map(|c| c.id).collect(),
            names: dataset.categories.iter().map(|c| c.name.clone()).collect(),
        }
    }

    /// A 64-bit FNV-1a hash of ids and names as 16 hexadecimal digits, the same on every machine and in every version.
    pub fn hash_hex(&self) -> String {
        let mut hash = Fnv1a::default();
        for (id, name) in self.ids.iter().zip(&self.names) {
            hash.write(&id.0.to_le_bytes());
            // The length keeps two lists apart whose names run into each other.
            hash.write(&(name.len() as u64).to_le_bytes());
            hash.write(name.as_bytes());
        }
        format!("{:016x}", hash.0)
    }

    /// The first difference from `other` in words; `None` when both are the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let both = self.ids.iter().zip(&self.names).zip(other.ids.iter().zip(&other.names));
        let first = both.enumerate().find(|(_, (one, two))| one != two).map(|(class, ((id, name), (id2, name2)))| {
            format!("class {class} is {} `{name}` in the first and {} `{name2}` in the second", id.0, id2.0)
        });
        first.or_else(|| {
            let (one, two) = (self.ids.len(), other.ids.len());
            (one != two).then(|| format!("the first has {one} classes and the second {two}"))
        })
    }
}

/// FNV-1a (Fowler, Noll, Vo), 64 bits.
struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv1a {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
