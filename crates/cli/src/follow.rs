//! What follows trainings from their records on disk: `results.csv`, the files for TensorBoard, and the live view of a terminal.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use equipoise_eval::figure::{class_ap, gradient_ratio, loss_curves, score_curves};
use equipoise_eval::live::{board, lines};
use equipoise_eval::record::{RunDir, RunRecord, TensorBoard, write_results};

use crate::progress::{Board, Progress};

/// Least time between two looks at the record.
const EVERY: Duration = Duration::from_secs(5);
/// Looking takes at most this share of the training: a long record is looked at less often.
const SHARE: u32 = 100;

/// When to look again.
struct Clock {
    looked: Instant,
    pause: Duration,
}

impl Clock {
    fn new() -> Self {
        Self { looked: Instant::now(), pause: EVERY }
    }

    fn is_due(&self) -> bool {
        self.looked.elapsed() >= self.pause
    }

    /// A look that began at `started` is over.
    fn looked(&mut self, started: Instant) {
        self.pause = EVERY.max(started.elapsed() * SHARE);
        self.looked = Instant::now();
    }
}

/// Looks at the record of a run now and then.
pub struct Follower {
    dir: RunDir,
    events: TensorBoard,
    board: Board,
    clock: Clock,
}

impl Follower {
    /// Follows the run in `dir`, which goes on after `step`.
    pub fn new(dir: &RunDir, step: u64, progress: &Progress) -> anyhow::Result<Self> {
        let events = TensorBoard::create(dir, step)?;
        Ok(Self { dir: dir.clone(), events, board: progress.board(), clock: Clock::new() })
    }

    /// Looks, if it is time to.
    pub fn after_step(&mut self) -> anyhow::Result<()> {
        if self.clock.is_due() {
            let started = Instant::now();
            self.look()?;
            self.clock.looked(started);
        }
        Ok(())
    }

    fn look(&mut self) -> anyhow::Result<()> {
        let run = RunRecord::read_progress(self.dir.root())?;
        self.events.follow(&run)?;
        write_results(&self.dir, &run)?;
        self.board.show(1, |screen| lines(&run, screen.width, screen.colour));
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

/// The live view of several trainings that run side by side.
pub struct Watch {
    board: Board,
    /// What is looked at, and when; whoever finds it taken goes on training.
    state: Mutex<Watched>,
}

struct Watched {
    under_way: Vec<PathBuf>,
    done: Vec<RunRecord>,
    clock: Clock,
}

impl Watch {
    /// Nothing is under way yet.
    pub fn new(progress: &Progress) -> Self {
        let state = Watched { under_way: Vec::new(), done: Vec::new(), clock: Clock::new() };
        Self { board: progress.board(), state: Mutex::new(state) }
    }

    /// The run in `dir` begins.
    pub fn begin(&self, dir: &Path) {
        if let Ok(mut state) = self.state.lock() {
            state.under_way.push(dir.to_path_buf());
        }
    }

    /// The run in `dir` is scored, or was before.
    pub fn end(&self, dir: &Path) {
        if let Ok(mut state) = self.state.lock() {
            state.under_way.retain(|other| other != dir);
            state.done.extend(RunRecord::read_progress(dir));
            self.look(&mut state);
        }
    }

    /// Looks, if it is time to and nobody else does.
    pub fn after_step(&self) {
        if let Ok(mut state) = self.state.try_lock()
            && state.clock.is_due()
        {
            let started = Instant::now();
            self.look(&mut state);
            state.clock.looked(started);
        }
    }

    fn look(&self, state: &mut Watched) {
        if self.board.is_shown() {
            // A record that cannot be read is no reason to end a training: the next look may find it whole.
            let runs: Vec<RunRecord> =
                state.under_way.iter().filter_map(|dir| RunRecord::read_progress(dir).ok()).collect();
            // Each run under way has a bar of its own.
            self.board.show(state.under_way.len(), |screen| board(&runs, &state.done, screen));
        }
    }

    /// Everything is over.
    pub fn close(&self) {
        self.board.clear();
    }
}
