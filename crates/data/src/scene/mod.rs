//! Pictures composed of drawings and the truth about what can be seen in them: what the built-in demo set and EmojiVIS share.
//!
//! The same random stream and the same drawings give the same bytes, whatever the number of threads. Trap: between machines with different
//! maths libraries, sines and powers may differ in their last bit, and with them a pixel here and there.

mod background;
mod clutter;
mod compose;
mod distribute;
mod draw;
mod lvis_curve;
mod mask;
mod random;

pub(crate) use background::{Split, background};
pub(crate) use clutter::scatter;
pub(crate) use compose::{Look, Placed, Seen, Style, arrange, finish, pose, tone};
pub(crate) use distribute::{Crowd, distribute};
pub(crate) use draw::{Pose, Sprite};
pub(crate) use lvis_curve::interpolate;
pub use lvis_curve::lvis_counts;
pub(crate) use random::{Purpose, chance, stream};
