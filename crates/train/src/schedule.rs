//! The learning rate as a function of the step: linear warm-up, then steps or a cosine.

use crate::recipe::{ScheduleConfig, ScheduleKind};

impl ScheduleConfig {
    /// Factor of the learning rate in step `step` of `total`, counted from 0.
    pub fn factor_at(&self, step: u64, total: u64) -> f64 {
        let progress = step as f64 / total.max(1) as f64;
        let after = match self.kind {
            ScheduleKind::Step => {
                let drops = self.milestones.iter().filter(|part| progress >= **part).count();
                self.factor.powi(drops as i32)
            }
            ScheduleKind::Cosine => {
                let share = 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
                self.factor + (1.0 - self.factor) * share
            }
        };
        after * self.warmup(step)
    }

    fn warmup(&self, step: u64) -> f64 {
        if step >= self.warmup_steps {
            return 1.0;
        }
        self.warmup_factor + (1.0 - self.warmup_factor) * step as f64 / self.warmup_steps as f64
    }
}
