//! `--fail-under`: a score that must be reached, for machines that watch over models.

use equipoise_eval::record::Metrics;

/// A metric and the least it may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    key: String,
    least: f64,
}

/// Reads `KEY=VALUE`; the value is a fraction, as in `metrics.json`.
pub fn parse(text: &str) -> Result<Gate, String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as APr=0.12")?;
    let least: f64 = value.trim().parse().map_err(|_| format!("`{value}` is no number"))?;
    if !(0.0..=1.0).contains(&least) {
        return Err(format!("{value} is no fraction: 12 % is 0.12"));
    }
    Ok(Gate { key: key.trim().into(), least })
}

/// What does not hold, in words; an error for a metric that the protocol does not have.
pub fn failures(gates: &[Gate], metrics: &Metrics) -> anyhow::Result<Vec<String>> {
    let mut failed = Vec::new();
    for Gate { key, least } in gates {
        if !metrics.iter().any(|(known, _)| known == key) {
            let known: Vec<&str> = metrics.iter().map(|(known, _)| known).collect();
            anyhow::bail!("--fail-under: there is no metric `{key}`; there are: {}", known.join(", "));
        }
        match metrics.get(key) {
            Some(value) if value >= *least => {}
            Some(value) => failed.push(format!("{key} is {value:.4}, less than {least}")),
            None => failed.push(format!("{key} is not defined, and {least} was asked for")),
        }
    }
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use super::{failures, parse};
    use equipoise_eval::record::Metrics;

    #[test]
    fn a_gate_is_a_key_and_a_fraction() {
        assert!(parse("AP").unwrap_err().contains("KEY=VALUE"));
        assert!(parse("AP=12").unwrap_err().contains("0.12"));
        assert!(parse("AP=NaN").is_err() && parse("AP=x").is_err());
        let mut metrics = Metrics::default();
        metrics.set("AP", Some(0.25));
        metrics.set("APr", None);
        let failed = |text: &str| failures(&[parse(text).unwrap()], &metrics).unwrap().len();
        assert_eq!([failed("AP=0.25"), failed("AP=0.26"), failed("APr=0")], [0, 1, 1]);
        assert!(failures(&[parse("mAP=0.1").unwrap()], &metrics).unwrap_err().to_string().contains("AP, APr"));
    }
}
