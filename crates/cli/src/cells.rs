//! Cells of an experiment: trainings on the same data that differ in what is compared, each in a run directory of its own.
//!
//! Several run at a time, each on its share of the threads: small networks keep two cores busier side by side than one after the other on both.
//! What is finished is not run again, what was stopped goes on, and the first that fails stops those that have not begun.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, anyhow, bail};
use burn::tensor::Device;
use equipoise_data::Dataset;
use equipoise_eval::record::{Metrics, RunDir};
use equipoise_train::{Checkpoint, Recipe, Trainer};

use crate::commands::train::steps;
use crate::follow::Watch;
use crate::progress::Progress;
use crate::run_data::RunData;
use crate::scoring::{Model, Validation};

/// One training.
pub struct Cell {
    /// Its run directory.
    pub dir: PathBuf,
    /// Title in tables and figures; cells that differ in the seed alone share it.
    pub title: String,
    /// What is trained.
    pub recipe: Recipe,
}

/// What the cells of an experiment share.
pub struct Experiment<'a> {
    /// The training set.
    pub train: &'a Arc<Dataset>,
    /// The set that every run is scored on.
    pub val: &'a Arc<Dataset>,
    /// Where both are.
    pub data: &'a RunData,
    /// Name of the protocol of the scores.
    pub protocol: &'a str,
    /// Where tensors live.
    pub device: &'a Device,
    /// Where progress is told.
    pub progress: &'a Progress,
}

/// Where a cell stands.
pub enum State {
    /// Trained and scored.
    Done,
    /// Nothing was written yet.
    New,
    /// It goes on from its last checkpoint.
    Begun,
}

impl Cell {
    fn run(&self) -> RunDir {
        RunDir::new(&self.dir)
    }

    /// Looks at the run directory.
    ///
    /// # Errors
    /// When it holds a run of another recipe.
    pub fn state(&self) -> anyhow::Result<State> {
        let run = self.run();
        let checkpoint = run.last_checkpoint();
        if !Checkpoint::file(&checkpoint).exists() {
            return Ok(State::New);
        }
        let recipe = Recipe::read(&run.recipe(), &[])?;
        if recipe != self.recipe {
            let dir = self.dir.display();
            bail!("`{dir}` holds a run of another recipe, seed or version; choose another folder, or delete this one");
        }
        Ok(if Metrics::read(&run.metrics()).is_ok() { State::Done } else { State::Begun })
    }
}

impl Experiment<'_> {
    /// Trains and scores cells, `at_once` of them at a time on `threads` threads each; false when the user stopped it.
    ///
    /// # Errors
    /// The first that happened. Cells that were under way are finished or keep their last checkpoint.
    pub fn run(&self, cells: &[Cell], at_once: usize, threads: usize) -> anyhow::Result<bool> {
        let (next, broken) = (AtomicUsize::new(0), AtomicBool::new(false));
        let watch = Watch::new(self.progress);
        let work = || -> anyhow::Result<bool> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                if broken.load(Ordering::Relaxed) {
                    break;
                }
                let done =
                    pool.install(|| self.one(cell, &watch)).inspect_err(|_| broken.store(true, Ordering::Relaxed))?;
                if !done {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let outcome = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
            let mut finished = true;
            let mut failure = None;
            for worker in workers {
                match worker.join().unwrap_or_else(|_| Err(anyhow!("a training panicked"))) {
                    Ok(done) => finished &= done,
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            failure.map_or(Ok(finished), Err)
        });
        watch.close();
        outcome
    }

    /// Trains and scores one cell; false when the user stopped it.
    fn one(&self, cell: &Cell, watch: &Watch) -> anyhow::Result<bool> {
        if crate::interrupt::asked() {
            return Ok(false);
        }
        let (run, name) = (cell.run(), format!("{} seed {}", cell.title, cell.recipe.seed));
        let mut trainer = match cell.state()? {
            State::Done => {
                self.progress.say(&format!("{name}: done before, in {}", cell.dir.display()));
                watch.end(&cell.dir);
                return Ok(true);
            }
            State::New => {
                Trainer::start(cell.recipe.clone(), &cell.title, self.train.clone(), run.clone(), self.device)?
            }
            State::Begun => Trainer::resume(self.train.clone(), run.clone(), self.device)?,
        };
        self.data.note(&run)?;
        let mut validation = Validation::of(&trainer, &run, self.val, self.protocol, self.device)?;
        let task = self.progress.task(&name, trainer.total_steps());
        watch.begin(&cell.dir);
        let after = |trainer: &Trainer| {
            watch.after_step();
            validation.as_mut().map_or(Ok(()), |validation| validation.after(trainer, self.progress))
        };
        let trained = steps(&mut trainer, &run, &task, after).with_context(|| format!("training of {name}"))?;
        let Some(mut timing) = trained else { return Ok(false) };
        let detector = trainer.detector()?;
        let model = Model { detector: &detector, loss: trainer.loss(), recipe: trainer.recipe(), device: self.device };
        let task = self.progress.task(&format!("{name} scores"), self.val.images.len() as u64);
        let scored = model.score(&run, self.protocol, self.train, self.val, &task, &mut timing)?;
        if let (Some(validation), Some(evaluation)) = (&mut validation, &scored) {
            validation.add(&trainer, &evaluation.metrics, self.progress)?;
        }
        watch.end(&cell.dir);
        Ok(scored.is_some())
    }
}
