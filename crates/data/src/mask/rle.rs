//! Run lengths as COCO writes them: counts of 0s and 1s in turns, down the columns, plain or packed into a string.
//!
//! The packed form holds five bits a character from `0` (ASCII 48) on, the sixth bit saying that more follow; from the third count on
//! the difference to the count two before is packed (`pycocotools`, `rleToString`).

/// The counts of a packed string; `None` when it is damaged.
pub fn unpack(text: &str) -> Option<Vec<u32>> {
    let mut counts: Vec<i64> = Vec::new();
    let mut bytes = text.bytes();
    while let Some(first) = bytes.next() {
        let (mut value, mut shift, mut byte) = (0i64, 0u32, first);
        loop {
            let bits = i64::from(byte.checked_sub(48).filter(|&bits| bits < 64)?);
            value |= (bits & 0x1f) << shift;
            shift += 5;
            if bits & 0x20 == 0 {
                if bits & 0x10 != 0 {
                    value |= -1 << shift;
                }
                break;
            }
            if shift > 35 {
                return None;
            }
            byte = bytes.next()?;
        }
        if counts.len() > 2 {
            value += counts[counts.len() - 2];
        }
        counts.push(value);
    }
    counts.into_iter().map(|count| u32::try_from(count).ok()).collect()
}

/// The packed string of counts: the inverse of [`unpack`].
pub fn pack(counts: &[u32]) -> String {
    let mut out = String::new();
    for at in 0..counts.len() {
        let mut value = i64::from(counts[at]) - if at > 2 { i64::from(counts[at - 2]) } else { 0 };
        loop {
            let bits = (value & 0x1f) as u8;
            value >>= 5;
            let more = if bits & 0x10 != 0 { value != -1 } else { value != 0 };
            out.push(char::from(48 + bits + if more { 0x20 } else { 0 }));
            if !more {
                break;
            }
        }
    }
    out
}

/// The bits, column by column; `None` when the counts do not add up to `pixels`.
pub fn bits(counts: &[u32], pixels: usize) -> Option<Vec<bool>> {
    if counts.iter().map(|&count| u64::from(count)).sum::<u64>() != pixels as u64 {
        return None;
    }
    let mut bits = Vec::with_capacity(pixels);
    for (at, &count) in counts.iter().enumerate() {
        bits.resize(bits.len() + count as usize, at % 2 == 1);
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_counts_come_back() {
        for counts in [vec![], vec![0, 20], vec![5, 2, 2, 2, 2, 2, 5], vec![100_000, 3, 70_000, 1, 9, 4_000_000, 7]] {
            assert_eq!(unpack(&pack(&counts)), Some(counts));
        }
        assert!(["5\u{7f}", "5 ", "oooooooooooooooo", "o"].iter().all(|text| unpack(text).is_none()));
    }

    #[test]
    fn counts_become_bits_when_they_add_up() {
        assert_eq!(bits(&[1, 2, 1], 4), Some(vec![false, true, true, false]));
        assert_eq!(bits(&[1, 2], 4), None);
        assert_eq!(bits(&[u32::MAX, u32::MAX], 4), None);
    }
}
