//! The learning rate over time.

use equipoise_train::{ScheduleConfig, ScheduleKind};

fn factors(config: &ScheduleConfig, steps: &[u64]) -> Vec<f64> {
    steps.iter().map(|step| config.factor_at(*step, 120)).collect()
}

fn assert_close(got: &[f64], wanted: &[f64]) {
    let close = got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-12);
    assert!(close && got.len() == wanted.len(), "{got:?}, expected {wanted:?}");
}

#[test]
fn a_step_schedule_drops_at_its_milestones() {
    let config = ScheduleConfig { warmup_steps: 0, ..ScheduleConfig::default() };
    assert_close(&factors(&config, &[0, 79, 80, 109, 110, 119]), &[1.0, 1.0, 0.1, 0.1, 0.01, 0.01]);
}

#[test]
fn a_cosine_falls_to_its_factor() {
    let kind = ScheduleKind::Cosine;
    let config = ScheduleConfig { kind, factor: 0.2, warmup_steps: 0, ..ScheduleConfig::default() };
    assert_close(&factors(&config, &[0, 60, 120, 200]), &[1.0, 0.6, 0.2, 0.2]);
    let falling = (0..120).all(|step| config.factor_at(step, 120) > config.factor_at(step + 1, 120));
    assert!(falling);
}

#[test]
fn warm_up_is_linear() {
    let config = ScheduleConfig { warmup_steps: 10, warmup_factor: 0.1, ..ScheduleConfig::default() };
    assert_close(&factors(&config, &[0, 5, 10]), &[0.1, 0.55, 1.0]);
}

#[test]
fn a_run_without_steps_divides_by_nothing() {
    assert!(ScheduleConfig::default().factor_at(0, 0).is_finite());
}
