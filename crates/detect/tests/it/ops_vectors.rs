//! The kernels with narrower vectors than this machine's: the tests of the operations, in a process of their own.

use std::process::Command;

fn passes_with(cap: &str) {
    let program = std::env::current_exe().expect("a test knows its own program");
    for tests in ["ops_conv2d::", "ops_roi_align::"] {
        let run = Command::new(&program).args([tests, "--test-threads=1"]).env("EQUIPOISE_SIMD", cap).output();
        let run = run.expect("the program starts again");
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{tests} with {cap} vectors:\n{said}");
        assert!(!said.contains("running 0 tests"), "{tests} names no test");
    }
}

#[test]
fn avx2_kernels_pass_the_same_tests() {
    passes_with("avx2");
}

#[test]
fn portable_kernels_pass_the_same_tests() {
    passes_with("portable");
}
