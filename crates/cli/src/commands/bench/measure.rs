//! Cases and their times.

use std::time::Instant;

use serde::Serialize;

/// Most runs of a case: quartiles do not get better.
const MOST_RUNS: usize = 500;
/// Fewest, however slow the case is.
const FEWEST_RUNS: usize = 3;

/// Something to time.
pub struct Case {
    /// What is done.
    pub name: String,
    /// On what.
    pub shape: String,
    /// Units of work of one run, such as (8, "pictures").
    pub units: Option<(f64, &'static str)>,
    /// One run.
    pub work: Box<dyn FnMut() -> anyhow::Result<()>>,
}

impl Case {
    /// A case without a rate.
    pub fn new(name: &str, shape: &str, work: impl FnMut() -> anyhow::Result<()> + 'static) -> Self {
        Self { name: name.into(), shape: shape.into(), units: None, work: Box::new(work) }
    }

    /// Adds the units of work of one run.
    pub fn with_units(mut self, count: usize, unit: &'static str) -> Self {
        self.units = Some((count as f64, unit));
        self
    }
}

/// The times of a case.
#[derive(Serialize)]
pub struct Measured {
    pub part: &'static str,
    pub name: String,
    pub shape: String,
    pub median_ms: f64,
    pub lower_ms: f64,
    pub upper_ms: f64,
    pub runs: usize,
    pub rate: Option<Rate>,
}

/// Units of work in a second, by the median.
#[derive(Serialize)]
pub struct Rate {
    pub value: f64,
    pub unit: &'static str,
}

/// Runs the cases in turns until each has had its seconds.
pub fn measure(part: &'static str, cases: &mut [Case], seconds: f64) -> anyhow::Result<Vec<Measured>> {
    for case in cases.iter_mut() {
        (case.work)()?;
    }
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); cases.len()];
    loop {
        let mut ran = false;
        for (case, times) in cases.iter_mut().zip(&mut times) {
            let spent: f64 = times.iter().sum();
            if times.len() >= FEWEST_RUNS && (spent >= seconds || times.len() >= MOST_RUNS) {
                continue;
            }
            let started = Instant::now();
            (case.work)()?;
            times.push(started.elapsed().as_secs_f64());
            ran = true;
        }
        if !ran {
            break;
        }
    }
    Ok(cases.iter().zip(times).map(|(case, times)| measured(part, case, times)).collect())
}

fn measured(part: &'static str, case: &Case, mut times: Vec<f64>) -> Measured {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let median = at(0.5);
    Measured {
        part,
        name: case.name.clone(),
        shape: case.shape.clone(),
        median_ms: 1e3 * median,
        lower_ms: 1e3 * at(0.25),
        upper_ms: 1e3 * at(0.75),
        runs: times.len(),
        rate: case.units.map(|(count, unit)| Rate { value: count / median, unit }),
    }
}

/// Numbers in 0..1 that are the same each time.
pub fn noise(seed: u64) -> impl FnMut() -> f32 {
    // SplitMix64.
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }
}
