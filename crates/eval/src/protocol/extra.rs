//! What LVIS and COCO share beyond the engine: AP50 of the groups, AP-Fixed, AP-Pool, and the label of every number.
//!
//! AP-Fixed and AP-Pool are those of Dave et al. (arXiv 2102.01066). A cap on a picture makes classes compete, so that AP of a class depends on the scores of
//! others; AP-Fixed caps each class over the whole set instead. AP-Pool asks the opposite: are scores comparable between classes? It puts the
//! detections of all classes into one curve. With AP-Fixed its cap is that of AP-Fixed, else the protocol's.

use equipoise_data::{ClassIndex, Dataset, Group};

use super::engine::{Rules, group_mean};
use super::options::{Family, Limit, Options};
use super::{Evaluation, Hierarchy};
use crate::case::{Case, Shape};
use crate::error::{EvalError, Result};
use crate::outcome::{Outcomes, THRESHOLDS};

/// Which protocol is asked.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub protocol: &'static str,
    pub rules: Rules,
}

const GROUPS: [(&str, Group); 3] = [("r", Group::Rare), ("c", Group::Common), ("f", Group::Frequent)];

/// Scores by `own` under the protocol's cap, then adds what `options` asks for.
pub(super) fn score(
    kind: Kind,
    case: &Case,
    options: &Options,
    own: impl Fn(Limit) -> Result<Evaluation>,
) -> Result<Evaluation> {
    let refuse = |reason: &str| Err(EvalError::Protocol { protocol: kind.protocol, reason: reason.into() });
    if options.hierarchy.as_ref().is_some_and(|h| *h != Hierarchy::default()) {
        return refuse("only the Open Images protocol knows a class hierarchy");
    }
    if options.pool && case.shape == Shape::Masks {
        return refuse("AP-Pool is for boxes");
    }
    let family =
        |limit, variant| Family { protocol: kind.protocol, shape: case.shape, limit, variant, groups: &options.groups };
    let mut evaluation = own(kind.rules.limit())?;
    add_ap50_of_groups(&mut evaluation, case.truth);
    let plain = family(kind.rules.limit(), "");
    evaluation.labels = evaluation.metrics.iter().map(|(key, value)| plain.label(key, value)).collect();
    if let Some(most) = options.fixed {
        let mut fixed = own(Limit::PerClass(most))?;
        add_ap50_of_groups(&mut fixed, case.truth);
        let family = family(Limit::PerClass(most), "-Fixed");
        // AR1 and AR10 name caps of their own.
        for (key, value) in fixed.metrics.iter().filter(|(key, _)| !["AR1", "AR10"].contains(key)) {
            add(&mut evaluation, &family, &format!("{key}_fixed"), value);
        }
    }
    if options.pool {
        let limit = options.fixed.map_or(kind.rules.limit(), Limit::PerClass);
        let family = family(limit, "-Pool");
        let outcomes = Outcomes::of(case, limit, kind.rules);
        for (key, value) in pooled(case.truth, &outcomes) {
            add(&mut evaluation, &family, &key, value);
        }
    }
    Ok(evaluation)
}

fn add(evaluation: &mut Evaluation, family: &Family, key: &str, value: Option<f64>) {
    evaluation.metrics.set(key, value);
    evaluation.labels.push(family.label(key, value));
}

/// AP-Pool over all classes, at IoU 0.50 and 0.75, and within each group.
fn pooled(truth: &Dataset, outcomes: &Outcomes) -> Vec<(String, Option<f64>)> {
    let mean = |aps: [Option<f64>; THRESHOLDS]| aps.into_iter().sum::<Option<f64>>().map(|s| s / THRESHOLDS as f64);
    let classes = |group: Option<Group>| -> Vec<ClassIndex> {
        (0..truth.num_classes()).filter(|&k| group.is_none_or(|g| truth.categories[k].group == g)).collect()
    };
    let all = outcomes.pooled(&classes(None));
    let mut scores =
        vec![("AP_pool".to_string(), mean(all)), ("AP50_pool".into(), all[0]), ("AP75_pool".into(), all[5])];
    for (letter, group) in GROUPS {
        scores.push((format!("AP{letter}_pool"), mean(outcomes.pooled(&classes(Some(group))))));
    }
    scores
}

/// `AP50r`, `AP50c`, `AP50f`: no protocol defines them, but at small scale they say more than their stricter sisters.
fn add_ap50_of_groups(evaluation: &mut Evaluation, truth: &Dataset) {
    for (letter, group) in GROUPS {
        let value = group_mean(truth, &evaluation.classes, group, |c| c.ap50);
        evaluation.metrics.set(&format!("AP50{letter}"), value);
    }
}
