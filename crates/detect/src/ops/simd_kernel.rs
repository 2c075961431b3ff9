//! Vectors of f32 for the kernels: AVX-512, AVX2 with FMA, or plain arrays, chosen at run time.
//!
//! A kernel is a [`Kernel`] written once over [`Simd`]; [`dispatch`] runs it with the widest vectors of this processor.
//! Everything below [`Kernel::run`] must be `#[inline(always)]`, so that it is compiled with the features of its caller.

use std::sync::OnceLock;

/// One vector type and the few operations that kernels need.
pub(super) trait Simd: Copy {
    /// `LANES` values.
    type V: Copy;
    /// Values per vector.
    const LANES: usize;
    /// Whether at least 32 vector registers exist.
    const WIDE_FILE: bool;

    /// All lanes `value`.
    fn splat(value: f32) -> Self::V;
    /// # Safety
    /// `from` points to `LANES` readable values, at any alignment.
    unsafe fn load(from: *const f32) -> Self::V;
    /// # Safety
    /// `to` points to `LANES` writable values, at any alignment.
    unsafe fn store(to: *mut f32, vector: Self::V);
    /// `a * b + c`.
    fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Lane-wise sum.
    fn add(a: Self::V, b: Self::V) -> Self::V;
    /// Sum of all lanes in a fixed order.
    fn sum(vector: Self::V) -> f32;
}

/// Code that is generic over the vector type.
pub(super) trait Kernel {
    /// Does the work with vectors of `S`. Implementations are `#[inline(always)]`.
    fn run<S: Simd>(self);
}

/// Vector instructions of this processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

/// Caps the vectors at "avx2" or "portable", so that every kernel can be tested on one machine.
const CAP: &str = "EQUIPOISE_SIMD";

fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        {
            let cap = std::env::var(CAP).unwrap_or_default();
            let fma = is_x86_feature_detected!("fma") && cap != "portable";
            if fma && is_x86_feature_detected!("avx512f") && cap != "avx2" {
                return Level::Avx512;
            }
            if fma && is_x86_feature_detected!("avx2") {
                return Level::Avx2;
            }
        }
        Level::Portable
    })
}

/// Values per vector in kernels started by [`dispatch`], and whether 32 registers exist.
pub(super) fn shape() -> (usize, bool) {
    match level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => (x86::Avx512::LANES, x86::Avx512::WIDE_FILE),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => (x86::Avx2::LANES, x86::Avx2::WIDE_FILE),
        Level::Portable => (Portable::LANES, Portable::WIDE_FILE),
    }
}

/// Runs `kernel` with the widest vectors of this processor.
pub(super) fn dispatch<K: Kernel>(kernel: K) {
    match level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `level` found AVX-512F and FMA on this processor.
        Level::Avx512 => unsafe { x86::run_avx512(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `level` found AVX2 and FMA on this processor.
        Level::Avx2 => unsafe { x86::run_avx2(kernel) },
        Level::Portable => kernel.run::<Portable>(),
    }
}

/// Plain arrays, which compilers turn into the vectors of the target (SSE2, NEON, WebAssembly).
#[derive(Debug, Clone, Copy)]
struct Portable;

impl Simd for Portable {
    type V = [f32; 4];
    const LANES: usize = 4;
    const WIDE_FILE: bool = cfg!(target_arch = "aarch64");

    #[inline(always)]
    fn splat(value: f32) -> Self::V {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller gives `LANES` readable values; the read does not need alignment.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, vector: Self::V) {
        // SAFETY: the caller gives `LANES` writable values; the write does not need alignment.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(vector) }
    }
    #[inline(always)]
    fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Without the instruction, `mul_add` is a slow library call.
        let lane = |i: usize| if cfg!(target_arch = "aarch64") { a[i].mul_add(b[i], c[i]) } else { a[i] * b[i] + c[i] };
        [lane(0), lane(1), lane(2), lane(3)]
    }
    #[inline(always)]
    fn add(a: Self::V, b: Self::V) -> Self::V {
        [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
    }
    #[inline(always)]
    fn sum(vector: Self::V) -> f32 {
        (vector[0] + vector[2]) + (vector[1] + vector[3])
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Kernel, Simd};

    #[target_feature(enable = "avx512f,avx2,fma")]
    pub(super) fn run_avx512<K: Kernel>(kernel: K) {
        kernel.run::<Avx512>();
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn run_avx2<K: Kernel>(kernel: K) {
        kernel.run::<Avx2>();
    }

    /// Sixteen lanes; only used below `run_avx512`.
    #[derive(Debug, Clone, Copy)]
    pub(super) struct Avx512;

    // SAFETY of every block below: the type is private to this file and named only by `run_avx512`, which is entered on
    // processors with AVX-512F alone; pointers are as the trait demands.
    impl Simd for Avx512 {
        type V = __m512;
        const LANES: usize = 16;
        const WIDE_FILE: bool = true;

        #[inline(always)]
        fn splat(value: f32) -> Self::V {
            // SAFETY: see above.
            unsafe { _mm512_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self::V {
            // SAFETY: see above.
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, vector: Self::V) {
            // SAFETY: see above.
            unsafe { _mm512_storeu_ps(to, vector) }
        }
        #[inline(always)]
        fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            // SAFETY: see above.
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn add(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: see above.
            unsafe { _mm512_add_ps(a, b) }
        }
        #[inline(always)]
        fn sum(vector: Self::V) -> f32 {
            // SAFETY: see above.
            unsafe { _mm512_reduce_add_ps(vector) }
        }
    }

    /// Eight lanes; only used below `run_avx2`.
    #[derive(Debug, Clone, Copy)]
    pub(super) struct Avx2;

    // SAFETY of every block below: the type is private to this file and named only by `run_avx2`, which is entered on
    // processors with AVX2 and FMA alone; pointers are as the trait demands.
    impl Simd for Avx2 {
        type V = __m256;
        const LANES: usize = 8;
        const WIDE_FILE: bool = false;

        #[inline(always)]
        fn splat(value: f32) -> Self::V {
            // SAFETY: see above.
            unsafe { _mm256_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self::V {
            // SAFETY: see above.
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, vector: Self::V) {
            // SAFETY: see above.
            unsafe { _mm256_storeu_ps(to, vector) }
        }
        #[inline(always)]
        fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            // SAFETY: see above.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn add(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: see above.
            unsafe { _mm256_add_ps(a, b) }
        }
        #[inline(always)]
        fn sum(vector: Self::V) -> f32 {
            // SAFETY: see above.
            unsafe {
                let half = _mm_add_ps(_mm256_castps256_ps128(vector), _mm256_extractf128_ps::<1>(vector));
                let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
                _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
            }
        }
    }
}
