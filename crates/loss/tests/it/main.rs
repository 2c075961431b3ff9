//! Integration tests of `equipoise-loss`.

mod batch;
mod conformance;
mod conformance_values;
mod defects;
mod eqlv2;
mod golden;
mod golden_rivals;
mod ledger;
mod registry;
mod single_losses;
mod state;
mod targets;
