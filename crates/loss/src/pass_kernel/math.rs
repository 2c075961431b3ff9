//! `exp`, `log` and the fused multiply-add of the pass: polynomials that the compiler turns into vectors.
//!
//! Terms are added in pairs and the pairs in pairs (Estrin), not one after another: a processor has few enough values under way that it waits
//! for the longest chain, and Horner's is twice as long. The two short polynomials of `log1p` are made side by side as they are.

/// Below this, `exp` would leave the normal numbers.
pub(super) const LOWEST: f32 = -87.0;

/// `2 artanh(s) / s` in `s²`, highest power first (minimax on 0..1/9).
const LOG_TERMS: [f32; 4] = [0.342_413, 0.395_869_2, 0.666_761_1, 1.999_999_7];

/// `log(1 + e) / e` is the quotient of these in `e`, highest power first (minimax of the relative error on 0..1, 2e-8; the second ends on 1).
const LOG1P_TERMS: [[f32; 3]; 2] =
    [[0.123_764_38, 0.867_193_7, 0.999_999_98], [0.031_094_57, 0.474_059_05, 1.367_191_8]];

/// `(exp(r) - 1 - r) / r²` in `r`, highest power first (minimax of the relative error of `exp` on ±ln 2 / 2).
const EXP_TERMS: [f32; 4] = [8.312_52e-3, 4.189_015_7e-2, 0.166_671_15, 0.499_992_3];

/// `log(2)` in two parts, the first with few bits, so that its product with a small whole number is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `log(x)` for positive normal `x = 2^n m`, `m` within a factor of the root of 2 of 1: `n log 2 + 2 artanh(s)`, `s = (m - 1) / (m + 1)`.
#[inline(always)]
pub(super) fn log<const FMA: bool>(x: f32) -> f32 {
    const ROOT_OF_HALF: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    let n = x.to_bits().wrapping_sub(ROOT_OF_HALF) as i32 >> 23;
    let m = f32::from_bits(x.to_bits().wrapping_sub((n << 23) as u32));
    let s = (m - 1.0) / (m + 1.0);
    let s2 = s * s;
    let [a, b, c, d] = LOG_TERMS;
    let y = fma::<FMA>(fma::<FMA>(a, s2, b), s2 * s2, fma::<FMA>(c, s2, d));
    fma::<FMA>(n as f32, LN_2[0], fma::<FMA>(y, s, n as f32 * LN_2[1]))
}

/// `log(1 + e) / e` for `e` from 0 to 1, with a relative error below 4e-7. A quotient, since multiplications are what the pass has most of, while divisions
/// have a unit of their own.
#[inline(always)]
pub(super) fn log1p_quotient<const FMA: bool>(e: f32) -> f32 {
    let [[a, b, c], [d, f, g]] = LOG1P_TERMS;
    let above = fma::<FMA>(fma::<FMA>(a, e, b), e, c);
    let below = fma::<FMA>(fma::<FMA>(fma::<FMA>(d, e, f), e, g), e, 1.0);
    above / below
}

/// `exp(x)` for `x <= 0`: `x = n ln 2 + r`, a polynomial in `r`, and `n` added to the exponent.
#[inline(always)]
pub(super) fn exp<const FMA: bool>(x: f32) -> f32 {
    // Adding this leaves the nearest integer in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(LOWEST);
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // A product that is not rounded needs no second part: the first is off by 2e-9.
    let r = if FMA { fma::<FMA>(n, -std::f32::consts::LN_2, x) } else { (x - n * LN_2[0]) - n * LN_2[1] };
    let [a, b, c, d] = EXP_TERMS;
    let r2 = r * r;
    let y = fma::<FMA>(fma::<FMA>(a, r, b), r2, fma::<FMA>(c, r, d));
    let y = fma::<FMA>(y, r2, r + 1.0);
    f32::from_bits(y.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// `a * b + c`; without the instruction, `mul_add` is a slow library call.
#[inline(always)]
pub(super) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every 9973rd float from -200 to 0, both kinds of arithmetic.
    #[test]
    fn exp_is_close_over_its_range_and_never_nan() {
        let mut worst = 0.0_f64;
        for bits in sampled(-200.0) {
            let x = f32::from_bits(bits);
            for got in [exp::<true>(x), exp::<false>(x)] {
                assert!(got.is_finite() && got > 0.0, "exp({x}) is {got}");
                let expected = f64::from(x.max(LOWEST)).exp();
                worst = worst.max((f64::from(got) - expected).abs() / expected);
            }
        }
        assert!(worst < 4e-7, "off by {worst:e}");
        for x in [f32::NEG_INFINITY, f32::MIN, -1e30] {
            assert_eq!(exp::<true>(x), exp::<true>(LOWEST));
        }
        assert_eq!((exp::<true>(0.0), exp::<false>(-0.0)), (1.0, 1.0));
    }

    /// Every 9973rd normal positive float, and those around 1, where the logarithm is small.
    #[test]
    fn log_is_close_over_its_range() {
        let around = (0.999_f32.to_bits()..1.001_f32.to_bits()).step_by(7);
        for bits in (f32::MIN_POSITIVE.to_bits()..=f32::MAX.to_bits()).step_by(9973).chain(around) {
            let (x, exact) = (f32::from_bits(bits), f64::from(f32::from_bits(bits)).ln());
            for got in [log::<true>(x), log::<false>(x)] {
                assert!((f64::from(got) - exact).abs() <= 5e-7 * exact.abs(), "log({x}) is {got}");
            }
        }
        assert_eq!((log::<true>(1.0), log::<false>(1.0)), (0.0, 0.0));
    }

    /// Every 997th float from the least normal one to 1.
    #[test]
    fn log1p_is_close_over_its_range() {
        for bits in (f32::MIN_POSITIVE.to_bits()..=1.0_f32.to_bits()).step_by(997) {
            let e = f32::from_bits(bits);
            let exact = f64::from(e).ln_1p() / f64::from(e);
            for got in [log1p_quotient::<true>(e), log1p_quotient::<false>(e)] {
                assert!((f64::from(got) - exact).abs() <= 4e-7 * exact, "log(1 + {e}) / {e} is {got}");
            }
        }
    }

    /// Bits of negative floats from -0 down to `lowest`, every 9973rd.
    pub(in super::super) fn sampled(lowest: f32) -> impl Iterator<Item = u32> {
        ((-0.0_f32).to_bits()..=lowest.to_bits()).step_by(9973)
    }
}
