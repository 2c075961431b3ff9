//! Backbones, normalisation and the pyramid: shapes, sizes, and what freezing means.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use equipoise_detect::backbone::{BACKBONES, Backbone, BackboneSpec};
use equipoise_detect::fpn::Fpn;
use equipoise_detect::layers::{Conv, ConvNorm, NormKind, relu6};
use equipoise_detect::weights::host;
use equipoise_detect::weights::{Weights, weights_of, with_weights};
use equipoise_detect::{Init, ParamPath};

/// Sums of a few hundred f32 products around one.
const CLOSE: f32 = 1e-4;

fn picture(shape: [usize; 4]) -> Tensor<4> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &Device::flex())
}

/// Trainable values of a module: its weights without running statistics.
fn trainable(module: &impl Module) -> usize {
    weights_of(module).iter().filter(|(name, _)| !name.contains("running")).map(|(_, weight)| weight.values.len()).sum()
}

fn assert_maps(spec: &BackboneSpec) {
    let backbone = Backbone::new(spec, NormKind::Frozen, 0, &mut Init::new(0, &Device::flex()));
    let maps = backbone.forward(picture([1, 3, 64, 96]));
    assert_eq!(maps.len(), spec.channels().len());
    for ((map, stride), channels) in maps.iter().zip(spec.strides()).zip(spec.channels()) {
        assert_eq!(map.dims(), [1, channels, 64 / stride, 96 / stride], "{}", spec.name);
        assert!(host(map).iter().all(|v| v.is_finite()), "{}", spec.name);
    }
}

#[test]
fn networks_without_bottlenecks_have_their_maps() {
    for spec in BACKBONES.iter().filter(|spec| spec.name != "resnet50") {
        assert_maps(spec);
    }
}

#[test]
fn bottleneck_network_has_its_maps_and_torchvisions_size() {
    let spec = BackboneSpec::find("resnet50").unwrap();
    assert_maps(spec);
    assert_size(spec, 23_508_032);
}

/// torchvision's networks without their classifiers: 11 689 512 − 513 000 and 21 797 672 − 513 000 values.
#[test]
fn basic_block_networks_have_torchvisions_size() {
    assert_size(BackboneSpec::find("resnet18").unwrap(), 11_176_512);
    assert_size(BackboneSpec::find("resnet34").unwrap(), 21_284_672);
}

fn assert_size(spec: &BackboneSpec, values: usize) {
    let backbone = Backbone::new(spec, NormKind::Frozen, 0, &mut Init::new(0, &Device::flex()));
    assert_eq!(trainable(&backbone), values, "{}", spec.name);
}

#[test]
fn an_unknown_backbone_lists_those_there_are() {
    let error = BackboneSpec::find("resnet51").unwrap_err().to_string();
    assert!(error.contains("resnet51") && error.contains("resnet50") && error.contains("light"), "{error}");
}

/// Weights of a layer with statistics as training leaves them.
fn used(layer: &ConvNorm) -> Weights {
    let mut weights = weights_of(layer);
    for (name, weight) in &mut weights {
        for (at, value) in weight.values.iter_mut().enumerate() {
            let wave = (at as f32 * 0.7).sin();
            match name.as_str() {
                "norm.running_var" => *value = 1.5 + wave,
                "norm.running_mean" | "norm.beta" => *value = wave,
                "norm.gamma" => *value = 1.0 + 0.5 * wave,
                _ => {}
            }
        }
    }
    weights
}

#[test]
fn folded_statistics_equal_batch_normalisation_at_inference() {
    let device = Device::flex();
    let layer = |kind| ConvNorm::new(&mut Init::new(3, &device), kind, [5, 8], 3, 2);
    let weights = used(&layer(NormKind::Frozen));
    assert!(weights.contains_key("norm.running_var"), "{:?}", weights.keys());
    // The same names fit both: the kind of normalisation is no part of a path.
    let frozen = with_weights(layer(NormKind::Frozen), weights.clone(), |_| false).unwrap();
    let batch = with_weights(layer(NormKind::Batch), weights, |_| false).unwrap();
    let x = picture([2, 5, 9, 11]);
    let (one, two) = (frozen.forward(x.clone()), batch.forward(x));
    assert_eq!(one.dims(), two.dims());
    for (one, two) in host(&one).into_iter().zip(host(&two)) {
        assert!((one - two).abs() < CLOSE, "{one} and {two}");
    }
}

/// Which parameters ask for a gradient.
#[derive(Default)]
struct Asking {
    path: ParamPath,
    names: Vec<String>,
}

impl ModuleVisitor for Asking {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.val().is_require_grad() {
            self.names.push(self.path.name());
        }
    }
}

/// A frozen weight that asks for a gradient makes every forward pass keep maps for a backward pass that stops before them.
#[test]
fn frozen_parts_ask_for_no_gradient_and_neither_do_loaded_ones() {
    let device = Device::flex().autodiff();
    let spec = BackboneSpec::find("light").unwrap();
    for (frozen, silent) in [(0, vec![]), (1, vec!["stem."]), (2, vec!["stem.", "stages.0."])] {
        let fresh = Backbone::new(spec, NormKind::Frozen, frozen, &mut Init::new(0, &device));
        let weights = weights_of(&fresh);
        let convolutions: Vec<String> = weights.keys().filter(|name| name.ends_with("conv.weight")).cloned().collect();
        let loaded = with_weights(fresh.clone(), weights, |_| false).unwrap();
        for backbone in [fresh, loaded] {
            let mut asking = Asking::default();
            backbone.visit(&mut asking);
            for name in &convolutions {
                let expected = !silent.iter().any(|part| name.starts_with(part));
                assert_eq!(asking.names.contains(name), expected, "{name} with {frozen} frozen");
            }
        }
    }
}

#[test]
fn group_normalisation_does_not_see_the_other_pictures() {
    let spec = BackboneSpec::find("light").unwrap();
    let backbone = Backbone::new(spec, NormKind::Group, 0, &mut Init::new(0, &Device::flex()));
    let pair = picture([2, 3, 32, 32]);
    let alone = host(backbone.forward(pair.clone().slice([0..1])).last().unwrap());
    let together = host(backbone.forward(pair).last().unwrap());
    for (one, two) in alone.iter().zip(&together) {
        assert!((one - two).abs() < CLOSE, "{one} and {two}");
    }
}

#[test]
fn a_pyramid_has_one_width_and_halves_upwards() {
    let mut init = Init::new(0, &Device::flex());
    let fpn = Fpn::new(&mut init, &[8, 12, 20], 6, 2);
    let levels = fpn.forward(vec![picture([2, 8, 16, 24]), picture([2, 12, 8, 12]), picture([2, 20, 4, 6])]);
    let dims: Vec<_> = levels.iter().map(Tensor::dims).collect();
    assert_eq!(dims, [[2, 6, 16, 24], [2, 6, 8, 12], [2, 6, 4, 6], [2, 6, 2, 3], [2, 6, 1, 2]]);
}

#[test]
fn the_top_of_a_pyramid_reaches_its_bottom() {
    let mut init = Init::new(0, &Device::flex());
    let fpn = Fpn::new(&mut init, &[4, 4], 4, 0);
    let (fine, coarse) = (picture([1, 4, 8, 8]), picture([1, 4, 4, 4]));
    let bottom = |coarse: Tensor<4>| host(&fpn.forward(vec![fine.clone(), coarse])[0]);
    assert_ne!(bottom(coarse.clone()), bottom(coarse.mul_scalar(2.0)));
}

/// Values of the published files without `_conv_head`, `_bn1`, `_fc` and statistics.
#[test]
fn lite_networks_have_their_published_size() {
    let sizes = [2_958_848, 3_723_520, 4_357_952];
    for (name, size) in ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"].into_iter().zip(sizes) {
        assert_size(BackboneSpec::find(name).unwrap(), size);
    }
}

/// TensorFlow's rule for an even size at stride 2: the window of output `i` begins at `2 i` with a 3×3 kernel, and at `2 i - 1` with 5×5.
#[test]
fn depthwise_convolutions_are_padded_below_and_to_the_right() {
    let mut init = Init::new(0, &Device::flex());
    for (kernel, first) in [(3, 0), (5, -1)] {
        let conv = Conv::depthwise(&mut init, 1, kernel, 2);
        let mut values = vec![0.0; 64];
        values[0] = 1.0;
        let x = Tensor::<4>::from_data(TensorData::new(values, [1, 1, 8, 8]), &Device::flex());
        let out = conv.forward(x);
        assert_eq!(out.dims(), [1, 1, 4, 4]);
        // The pixel at the corner meets the tap that lies `-first` rows and columns into the kernel.
        let tap = (-first * kernel as isize - first) as usize;
        assert_eq!(host(&out)[0], host(&conv.weight.val())[tap], "{kernel}");
    }
}

#[test]
fn activations_of_lite_networks_are_capped_at_six() {
    let x = Tensor::<1>::from_data(TensorData::new(vec![-1.0f32, 0.5, 7.0], [3]), &Device::flex().autodiff())
        .require_grad();
    let y = relu6(x.clone());
    assert_eq!(host(&y), [0.0, 0.5, 6.0]);
    let gradients = (y.square() * 0.5).sum().backward();
    assert_eq!(host(&x.grad(&gradients).unwrap()), [0.0, 0.5, 0.0]);
}
