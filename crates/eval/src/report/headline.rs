//! What the numbers say, in sentences that cannot claim more than the numbers do.

use equipoise_data::Group;

use super::comparison::Contender;
use crate::compare::{PairedDifference, paired_difference};
use crate::table::{percent, points};

/// Differences below half a point are called alike: the report prints one decimal, and one image more or less moves that.
const ALIKE: f64 = 0.005;
const BOOTSTRAP_SEED: u64 = 0;

/// Whom the baseline is compared to: EQL v2 where it is not the baseline itself, else the best on rare classes.
pub(super) fn challenger<'a, 'r>(contenders: &'a [Contender<'r>]) -> Option<&'a Contender<'r>> {
    let others = contenders.get(1..)?;
    let by_apr =
        |a: &&Contender, b: &&Contender| a.metric("APr").unwrap_or(-1.0).total_cmp(&b.metric("APr").unwrap_or(-1.0));
    others.iter().find(|c| c.runs.iter().any(|run| run.meta.loss == "eqlv2")).or_else(|| others.iter().max_by(by_apr))
}

/// The sentences at the head of the page.
pub(super) fn sentences(contenders: &[Contender]) -> Vec<String> {
    let Some(baseline) = contenders.first() else { return vec!["There is no run.".into()] };
    let Some(challenger) = challenger(contenders) else { return vec![alone(baseline)] };
    let pair = |key: &str| Some((challenger.metric(key)?, baseline.metric(key)?));
    let (rare, overall) = (pair("APr"), pair("AP"));
    if rare.is_none() && overall.is_none() {
        return vec![format!(
            "{} and {} cannot be compared yet: not both are scored.",
            challenger.title, baseline.title
        )];
    }
    let on_rare = rare_difference(challenger, baseline);
    let luck = on_rare.as_ref().is_some_and(|difference| !difference.is_clear());
    let mut all = vec![verdict(challenger, baseline, rare, luck, overall)];
    all.extend(on_rare.map(certainty));
    all.extend(winners(contenders));
    all.push(seeds(challenger, baseline));
    all
}

fn alone(run: &Contender) -> String {
    match (run.metric("AP"), run.metric("APr"), run.metric("APf")) {
        (None, _, _) => format!("{} is not scored yet.", run.title),
        (ap, Some(rare), Some(frequent)) => format!(
            "{} reaches AP {}: {} on rare classes, {} on frequent ones.",
            run.title,
            percent(ap),
            percent(Some(rare)),
            percent(Some(frequent))
        ),
        (ap, _, _) => format!("{} reaches AP {}.", run.title, percent(ap)),
    }
}

type Pair = Option<(f64, f64)>;

/// `luck`: whether luck with the classes can explain the difference on rare ones.
fn verdict(challenger: &Contender, baseline: &Contender, rare: Pair, luck: bool, overall: Pair) -> String {
    let numbers = |name: &str, (c, b): (f64, f64)| {
        format!("{name} {} against {}, {}", percent(Some(c)), percent(Some(b)), points(Some(c - b)))
    };
    let on_rare = rare.map(|pair| {
        let claim = match (sign(pair), luck) {
            (1, false) => "finds rare classes better than",
            (1, true) => "scores higher on rare classes than",
            (-1, false) => "finds rare classes worse than",
            (-1, true) => "scores lower on rare classes than",
            _ => "is no better on rare classes than",
        };
        format!("{} {claim} {} ({})", challenger.title, baseline.title, numbers("APr", pair))
    });
    let in_all = overall.map(|pair| {
        let claim = match (rare.map(sign), sign(pair)) {
            (Some(1), 1) => "and is better overall too",
            (Some(1), -1) => "but is worse overall",
            (Some(_), 1) => "but is better overall",
            (Some(_), -1) => "and is worse overall",
            (Some(1), _) => "and costs nothing visible overall",
            (Some(_), _) => "and scores alike overall",
            (None, 1) => "is better overall than",
            (None, -1) => "is worse overall than",
            (None, _) => "scores like",
        };
        match rare {
            Some(_) => format!(" {claim} ({})", numbers("AP", pair)),
            None => format!("{} {claim} {} ({})", challenger.title, baseline.title, numbers("AP", pair)),
        }
    });
    format!("{}{}.", on_rare.unwrap_or_default(), in_all.unwrap_or_default())
}

fn sign((c, b): (f64, f64)) -> i8 {
    match c - b {
        d if d >= ALIKE => 1,
        d if d <= -ALIKE => -1,
        _ => 0,
    }
}

/// The difference on rare classes with its interval.
fn rare_difference(challenger: &Contender, baseline: &Contender) -> Option<PairedDifference> {
    let rare = Some(Group::Rare);
    let difference = paired_difference(&baseline.class_aps(rare), &challenger.class_aps(rare), BOOTSTRAP_SEED);
    // An interval that is written as 0.0 to 0.0 says nothing.
    difference.filter(|d| d.classes >= 2 && d.low.abs().max(d.high.abs()) >= ALIKE)
}

/// How much of it may be luck with the classes.
fn certainty(d: PairedDifference) -> String {
    let tail = if d.is_clear() {
        "more than luck with the choice of classes"
    } else {
        "luck with the choice of classes can explain it"
    };
    format!(
        "Over the {} rare classes the 95 % interval of the difference is {} to {} points: {tail}.",
        d.classes,
        points(Some(d.low)),
        points(Some(d.high))
    )
}

/// With more than two contenders: who is first.
fn winners(contenders: &[Contender]) -> Option<String> {
    let best = |key: &'static str| {
        let scored = contenders.iter().filter_map(|c| Some((c, c.metric(key)?)));
        scored.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(c, v)| (c.title.as_str(), percent(Some(v))))
    };
    let ((rare, apr), (all, ap)) = (best("APr")?, best("AP")?);
    let claim = if rare == all {
        format!("{rare} is first on rare classes (APr {apr}) and overall (AP {ap})")
    } else {
        format!("{rare} is first on rare classes (APr {apr}) and {all} overall (AP {ap})")
    };
    (contenders.len() > 2).then(|| format!("Of all {}, {claim}.", contenders.len()))
}

fn seeds(challenger: &Contender, baseline: &Contender) -> String {
    match challenger.runs.len().min(baseline.runs.len()) {
        1 => "One training each proves little: another seed can move these numbers by a few points.".into(),
        n => format!(
            "Means of {} trainings; the spread over seeds is in the table.",
            if challenger.runs.len() == baseline.runs.len() { format!("{n}") } else { format!("at least {n}") }
        ),
    }
}
