//! What follows a training from its record on disk: `results.csv`, the files for TensorBoard, and the live view of a terminal.

use std::time::{Duration, Instant};

use equipoise_eval::figure::{class_ap, gradient_ratio, loss_curves, score_curves};
use equipoise_eval::live::lines;
use equipoise_eval::record::{RunDir, RunRecord, TensorBoard, write_results};

use crate::progress::{Board, Progress};

/// Least time between two looks at the record.
const EVERY: Duration = Duration::from_secs(5);
/// Looking takes at most this share of the training: a long record is looked at less often.
const SHARE: u32 = 100;

/// Looks at the record of a run now and then.
pub struct Follower {
    dir: RunDir,
    events: TensorBoard,
    board: Board,
    looked: Instant,
    pause: Duration,
}

impl Follower {
    /// Follows the run in `dir`, which goes on after `step`.
    pub fn new(dir: &RunDir, step: u64, progress: &Progress) -> anyhow::Result<Self> {
        let events = TensorBoard::create(dir, step)?;
        Ok(Self { dir: dir.clone(), events, board: progress.board(), looked: Instant::now(), pause: EVERY })
    }

    /// Looks, if it is time to.
    pub fn after_step(&mut self) -> anyhow::Result<()> {
        if self.looked.elapsed() < self.pause {
            return Ok(());
        }
        let started = Instant::now();
        self.look()?;
        self.looked = Instant::now();
        self.pause = EVERY.max(started.elapsed() * SHARE);
        Ok(())
    }

    fn look(&mut self) -> anyhow::Result<()> {
        let run = RunRecord::read_progress(self.dir.root())?;
        self.events.follow(&run)?;
        write_results(&self.dir, &run)?;
        self.board.show(|width, colour| lines(&run, width, colour));
        Ok(())
    }

    /// The training is over, or stopped: what is on disk is whole.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.look()?;
        let run = RunRecord::read(self.dir.root())?;
        if run.metrics.is_some() {
            self.events.metrics(&run)?;
            let (runs, step) = (std::slice::from_ref(&run), run.meta.steps);
            let figures = [gradient_ratio(runs), class_ap(runs), loss_curves(runs), score_curves(runs)];
            for figure in figures.iter().flatten() {
                self.events.figure(figure, step)?;
            }
        }
        self.board.close();
        Ok(())
    }
}
