//! Packed packages on this machine: fetched by the ordinary package client, checked, and read without being unpacked to the disk.
//!
//! A file gets its name in the store only after its checksum was right, so what is there is whole. Entries are read from the archive one
//! by one, within bounds; no path out of an archive is ever opened.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha512};

use super::packages::Package;
use crate::{DataError, Result, temporary_name};

/// Most bytes of an unpacked package; the largest has 49 MB.
const MOST_BYTES: u64 = 512 << 20;

/// Most bytes of one file in a package; the largest has 25 MB.
const MOST_ENTRY: u64 = 64 << 20;

/// Where packed packages are, and the client that gets them.
pub(super) struct Store<'a> {
    pub dir: &'a Path,
    pub client: &'a OsStr,
}

/// SHA-512 of a file, base64.
pub(super) fn sha512(path: &Path) -> Result<String> {
    let io = |source| DataError::Io { action: "read", path: path.to_path_buf(), source };
    let mut hash = Sha512::new();
    let mut file = File::open(path).map_err(io)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(io)? {
            0 => return Ok(STANDARD.encode(hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

impl Store<'_> {
    /// The packed file of `package`, from the store or from the network.
    ///
    /// # Errors
    /// [`DataError::Package`] when the client is missing or fails, or when a file is not the pinned one.
    pub fn fetch(&self, package: &Package) -> Result<PathBuf> {
        let path = self.dir.join(package.file());
        if path.is_file() {
            self.check(package, &path)?;
            return Ok(path);
        }
        let io = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| DataError::Io { action, path, source }
        };
        fs::create_dir_all(self.dir).map_err(io("create", self.dir))?;
        let arriving = temporary_name(&path);
        fs::create_dir(&arriving).map_err(io("create", &arriving))?;
        let outcome = self.pack(package, &arriving).and_then(|packed| {
            self.check(package, &packed)?;
            fs::rename(&packed, &path).map_err(io("write", &path))
        });
        // What is left there is of no use, and the reason for a failure matters more.
        let _ = fs::remove_dir_all(&arriving);
        outcome.map(|()| path)
    }

    /// Lets the client put the packed file into `to`.
    fn pack(&self, package: &Package, to: &Path) -> Result<PathBuf> {
        let ran = Command::new(self.client)
            .args(["pack", &package.id(), "--ignore-scripts", "--loglevel=error", "--pack-destination"])
            .arg(to)
            .stdin(Stdio::null())
            .output();
        let ran = ran.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => {
                self.fail(package, "npm, the package client of Node.js, is not installed".into())
            }
            _ => self.fail(package, format!("npm cannot be started ({e})")),
        })?;
        if !ran.status.success() {
            let said = String::from_utf8_lossy(&ran.stderr);
            let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
            return Err(self.fail(package, format!("npm failed: {}", said.join("; "))));
        }
        let packed = to.join(package.file());
        if !packed.is_file() {
            return Err(self.fail(package, format!("npm made no `{}`", package.file())));
        }
        Ok(packed)
    }

    fn check(&self, package: &Package, path: &Path) -> Result<()> {
        let got = sha512(path)?;
        if got == package.sha512 {
            return Ok(());
        }
        let problem = format!(
            "`{}` is not the pinned file, remove it if it is yours: its SHA-512 is {got}, expected {}",
            path.display(),
            package.sha512
        );
        Err(self.fail(package, problem))
    }

    fn fail(&self, package: &Package, problem: String) -> DataError {
        DataError::Package { package: package.id(), problem, store: self.dir.to_path_buf() }
    }

    /// Hands every entry for which `wanted` says yes to `visit`, by its path in the package.
    ///
    /// # Errors
    /// [`DataError::Package`] when the archive is damaged or too large, and what `visit` returns.
    pub fn read(
        &self,
        package: &Package,
        wanted: impl Fn(&str) -> bool,
        mut visit: impl FnMut(&str, Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let path = self.dir.join(package.file());
        let file = File::open(&path).map_err(|source| DataError::Io { action: "read", path: path.clone(), source })?;
        let damaged = |e: io::Error| self.fail(package, format!("`{}` cannot be unpacked ({e})", path.display()));
        let mut archive = tar::Archive::new(GzDecoder::new(file).take(MOST_BYTES));
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let name = entry.path().map_err(damaged)?.to_string_lossy().into_owned();
            let Some(name) = name.strip_prefix("package/") else { continue };
            if !entry.header().entry_type().is_file() || !wanted(name) {
                continue;
            }
            let mut bytes = Vec::new();
            entry.by_ref().take(MOST_ENTRY + 1).read_to_end(&mut bytes).map_err(damaged)?;
            if bytes.len() as u64 > MOST_ENTRY {
                return Err(self.fail(package, format!("`{name}` in it is larger than {} MB", MOST_ENTRY >> 20)));
            }
            visit(name, bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emojivis::synthetic::{pack, pinned};

    fn problem(outcome: Result<PathBuf>) -> String {
        match outcome {
            Err(e @ DataError::Package { .. }) => e.to_string(),
            other => panic!("expected an error about the package, got {other:?}"),
        }
    }

    #[test]
    fn a_file_that_is_there_is_checked_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store { dir: dir.path(), client: OsStr::new("no-such-program") };
        let bytes = pack(&[("icons.json", b"{}"), ("other.txt", b"x")]);
        let package = pinned("@made/up", &bytes);
        assert!(problem(store.fetch(&package)).contains("npm pack @made/up@1.0.0"), "the way out is named");
        fs::write(dir.path().join("made-up-1.0.0.tgz"), &bytes).unwrap();
        store.fetch(&package).unwrap();
        let mut seen = Vec::new();
        let keep = |name: &str, bytes: Vec<u8>| {
            seen.push((name.to_owned(), bytes));
            Ok(())
        };
        store.read(&package, |name| name == "icons.json", keep).unwrap();
        assert_eq!(seen, [("icons.json".to_owned(), b"{}".to_vec())]);

        fs::write(dir.path().join("made-up-1.0.0.tgz"), &bytes[..bytes.len() / 2]).unwrap();
        assert!(problem(store.fetch(&package)).contains("expected"));
        let cut = store.read(&package, |_| true, |_, _| Ok(()));
        assert!(matches!(cut, Err(DataError::Package { .. })), "{cut:?}");
    }

    #[cfg(unix)]
    #[test]
    fn the_client_is_run_and_not_trusted() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let bytes = pack(&[("icons.json", b"{}")]);
        let package = pinned("@made/up", &bytes);
        let client = |name: &str, script: String| {
            let path = dir.path().join(name);
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let source = dir.path().join("source.tgz");
        fs::write(&source, &bytes).unwrap();
        let to = dir.path().join("store");
        let good = client("good", format!("#!/bin/sh\ncp '{}' \"$6/made-up-1.0.0.tgz\"\n", source.display()));
        let bad = client("bad", "#!/bin/sh\necho other > \"$6/made-up-1.0.0.tgz\"\n".into());
        let lost = client("lost", "#!/bin/sh\necho 'ENOTFOUND registry' >&2\nexit 1\n".into());
        let with = |client: &Path| Store { dir: &to, client: client.as_os_str() }.fetch(&package);
        assert!(problem(with(&bad)).contains("not the pinned file"));
        assert!(problem(with(&lost)).contains("ENOTFOUND"));
        assert_eq!(fs::read_dir(&to).unwrap().count(), 0, "nothing wrong stays in the store");
        assert_eq!(fs::read(with(&good).unwrap()).unwrap(), bytes);
        assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
    }
}
