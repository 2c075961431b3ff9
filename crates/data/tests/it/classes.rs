//! The identity of a class list.

use equipoise_data::{CategoryId, ClassList};

use crate::fixture::dataset;

fn list(classes: &[(u64, &str)]) -> ClassList {
    ClassList {
        ids: classes.iter().map(|c| CategoryId(c.0)).collect(),
        names: classes.iter().map(|c| c.1.to_owned()).collect(),
    }
}

#[test]
fn the_hash_is_the_same_in_every_version() {
    assert_eq!(list(&[]).hash_hex(), "cbf29ce484222325");
    // FNV-1a over 1u64, the length 3 as u64, both little-endian, and "cat".
    assert_eq!(list(&[(1, "cat")]).hash_hex(), "5a639a02f23d1339");
}

#[test]
fn any_change_changes_the_hash_and_is_named() {
    let first = list(&[(1, "ab"), (2, "c")]);
    let others =
        [list(&[(1, "a"), (2, "bc")]), list(&[(1, "ab"), (3, "c")]), list(&[(2, "c"), (1, "ab")]), list(&[(1, "ab")])];
    for other in &others {
        assert_ne!(first.hash_hex(), other.hash_hex());
        assert!(first.difference(other).is_some());
    }
    assert_eq!(first.difference(&others[3]).unwrap(), "the first has 2 classes and the second 1");
    assert_eq!(first.difference(&first.clone()), None);
}

#[test]
fn a_data_set_gives_its_list() {
    assert_eq!(ClassList::of(&dataset(2, &[])), list(&[(1, "class 0"), (2, "class 1")]));
}
