//! Files are written whole or not at all.

use std::{
    fs,
    io::{Error, ErrorKind},
    thread,
};

use equipoise_data::{DataError, write_atomically, write_atomically_with};

use crate::fixture::Folder;

#[test]
fn an_older_file_is_replaced() {
    let folder = Folder::new();
    let path = folder.file("out.json", "a much longer older text");
    write_atomically(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_failure_half_way_leaves_the_older_file_and_nothing_else() {
    let folder = Folder::new();
    let path = folder.file("out.json", "old");
    let full = |out: &mut dyn std::io::Write| {
        out.write_all(&[0; 100_000])?;
        Err(Error::from(ErrorKind::StorageFull))
    };
    let error = write_atomically_with(&path, full).unwrap_err();
    assert!(matches!(&error, DataError::Io { action: "write", source, .. } if source.kind() == ErrorKind::StorageFull));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_missing_folder_is_an_error_that_names_the_file() {
    let error = write_atomically("no/such/folder/out.json".as_ref(), b"x").unwrap_err();
    assert_eq!(error.to_string(), "cannot write `no/such/folder/out.json`");
}

#[test]
fn writers_of_the_same_file_do_not_mix() {
    let folder = Folder::new();
    let path = folder.path().join("out");
    thread::scope(|scope| {
        for letter in b'a'..b'e' {
            let path = &path;
            scope.spawn(move || write_atomically(path, &[letter; 50_000]).unwrap());
        }
    });
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() == 50_000 && bytes.iter().all(|b| *b == bytes[0]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
