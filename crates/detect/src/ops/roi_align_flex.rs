//! RoIAlign as an operation of the CPU backend.

use std::sync::Arc;

use burn::backend::DispatchTensor;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::flex::{FlexOp, apply, supports, tensor, values};
use super::roi_align::{Roi, RoiAlignOptions};
use super::roi_align_kernel::{PlannedRoi, RoiPlan};
use super::roi_sampling::RoiTaps;

/// Fewer regions than this are planned by one thread.
const PLAN_REGIONS: usize = 64;

/// Pools `rois[r]` from `levels[assign[r]]`, or `None` where there is no kernel for the number of levels or the backend.
pub(super) fn roi_align_flex(
    levels: &[Tensor<4>],
    scales: &[f32],
    rois: &[Roi],
    assign: &[usize],
    options: &RoiAlignOptions,
) -> Option<Tensor<4>> {
    let inputs: Vec<DispatchTensor> = levels.iter().cloned().map(Tensor::into_dispatch).collect();
    if !inputs.iter().all(supports) {
        return None;
    }
    // The autodiff graph wants the number of inputs at compile time.
    let run = match levels.len() {
        1 => run::<1>,
        2 => run::<2>,
        3 => run::<3>,
        4 => run::<4>,
        5 => run::<5>,
        6 => run::<6>,
        _ => return None,
    };
    Some(run(Pooling { plan: Arc::new(plan(levels, scales, rois, assign, options)) }, inputs))
}

fn run<const L: usize>(pooling: Pooling, inputs: Vec<DispatchTensor>) -> Tensor<4> {
    let inputs: [DispatchTensor; L] = inputs.try_into().expect("the number of levels was matched");
    apply::<L, 4, _>(pooling, inputs)
}

fn plan(levels: &[Tensor<4>], scales: &[f32], rois: &[Roi], assign: &[usize], options: &RoiAlignOptions) -> RoiPlan {
    let [images, channels, _, _] = levels[0].dims();
    let sizes: Vec<[usize; 2]> = levels.iter().map(|level| [level.dims()[2], level.dims()[3]]).collect();
    let planned = |(roi, &level): (&Roi, &usize)| PlannedRoi {
        level,
        image: roi.image,
        taps: RoiTaps::new(roi, scales[level], sizes[level], options),
    };
    let rois = rois.par_iter().zip(assign).with_min_len(PLAN_REGIONS).map(planned).collect();
    RoiPlan { rois, output: options.output, images, channels, sizes }
}

/// Pooling of planned regions.
#[derive(Debug, Clone)]
struct Pooling {
    plan: Arc<RoiPlan>,
}

impl<const L: usize> FlexOp<L> for Pooling {
    // The gradient is linear in the maps and needs none of them.
    const SAVED: [bool; L] = [false; L];

    fn forward(&self, inputs: &[FlexTensor; L]) -> FlexTensor {
        let levels = inputs.each_ref().map(values);
        let [ph, pw] = self.plan.output;
        tensor(self.plan.forward(&levels), [self.plan.rois.len(), self.plan.channels, ph, pw])
    }

    fn backward(
        &self,
        _: &[Option<FlexTensor>; L],
        gradient: &FlexTensor,
        wanted: [bool; L],
    ) -> [Option<FlexTensor>; L] {
        std::array::from_fn(|level| {
            let [height, width] = self.plan.sizes[level];
            wanted[level].then(|| {
                let map = self.plan.backward(level, values(gradient));
                tensor(map, [self.plan.images, self.plan.channels, height, width])
            })
        })
    }
}
