//! Transposition of small matrices in blocks of 4 × 4.

/// `to[c · to_stride + r] = from[r · from_stride + c]` for `r < rows`, `c < columns`.
///
/// # Safety
///
/// All these places can be read and written, and the two matrices do not overlap.
#[inline(always)]
pub(super) unsafe fn transpose(
    [rows, columns]: [usize; 2],
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
) {
    let (whole_rows, whole_columns) = (rows & !3, columns & !3);
    // SAFETY: every index below is a `(row, column)` of the matrices.
    unsafe {
        for row in (0..whole_rows).step_by(4) {
            for column in (0..whole_columns).step_by(4) {
                let read = |r: usize| from.add((row + r) * from_stride + column).cast::<[f32; 4]>().read_unaligned();
                let [a, b, c, d] = [read(0), read(1), read(2), read(3)];
                for lane in 0..4 {
                    let line = [a[lane], b[lane], c[lane], d[lane]];
                    to.add((column + lane) * to_stride + row).cast::<[f32; 4]>().write_unaligned(line);
                }
            }
        }
        for row in 0..rows {
            let first = if row < whole_rows { whole_columns } else { 0 };
            for column in first..columns {
                *to.add(column * to_stride + row) = *from.add(row * from_stride + column);
            }
        }
    }
}
