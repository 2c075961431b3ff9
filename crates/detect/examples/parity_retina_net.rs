//! Runs RetinaNet on the weights and pictures that `parity/torchvision_retina_net.py write FOLDER` left, for the script to compare:
//! `cargo run --release -p equipoise-detect --example parity_retina_net -- FOLDER`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::Device;
use equipoise_data::{Batch, BatchImage, ImageId};
use equipoise_detect::anchors::AnchorLayout;
use equipoise_detect::torchvision_retina::rename_retina_net;
use equipoise_detect::weights::{Weight, Weights, from_safetensors, host, to_safetensors, with_weights};
use equipoise_detect::{DetectConfig, RetinaNet, RetinaNetConfig};
use equipoise_loss::{ClassLoss, Focal, FocalConfig, GradientLedger};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name the folder of the script")?);
    let read = |name: &str| -> Result<Weights, Box<dyn std::error::Error>> {
        let path = folder.join(name);
        Ok(from_safetensors(&std::fs::read(&path)?, &path)?)
    };
    let case = read("case.safetensors")?;
    let (loss, device) = (Focal::new(FocalConfig::default()), Device::flex().autodiff());
    let mut config = RetinaNetConfig::default();
    config.head.anchors.layout = AnchorLayout::Torchvision;
    let weights = rename_retina_net(read("weights.safetensors")?);
    let classes = weights["head.classifier.bias"].values.len() / config.head.anchors.per_cell(0);
    let detector = with_weights(RetinaNet::new(&config, classes, &loss, 0, &device)?, weights, |_| false)?;

    let batch = batch(&case);
    let mut ours = Weights::new();
    let mut put = |name: String, shape: Vec<usize>, values: Vec<f32>| ours.insert(name, Weight { shape, values });
    for (level, map) in detector.levels(&batch, &device).iter().enumerate() {
        put(format!("level{level}"), map.dims().to_vec(), host(map));
    }
    let output = detector.forward_train(&batch, &device, 0)?;
    put("logits".into(), output.logits.dims().to_vec(), host(&output.logits));
    // One by one, since torchvision divides by the foreground of each picture.
    for image in 0..batch.images.len() {
        let output = detector.forward_train(&one(&batch, image), &device, 0)?;
        let step = loss.step(output.logits, &output.targets, &GradientLedger::new(classes))?;
        put(format!("losses{image}"), vec![2], vec![step.value as f32, host(&output.losses[0].1)[0]]);
    }
    let limits = DetectConfig { score_threshold: 0.05, nms_iou: 0.5, max_detections: 300, ..DetectConfig::default() };
    for (image, found) in detector.detect(&batch, &device, &loss, &limits).into_iter().enumerate() {
        let rows = found.iter().flat_map(|found| {
            let [x1, y1, x2, y2] = found.bbox;
            [x1, y1, x2, y2, found.score, found.class as f32]
        });
        put(format!("found{image}"), vec![found.len(), 6], rows.collect());
    }
    std::fs::write(folder.join("ours.safetensors"), to_safetensors(&ours, false, BTreeMap::new()))?;
    Ok(())
}

fn batch(case: &Weights) -> Batch {
    let pixels = &case["pixels"];
    let shape = [0, 1, 2, 3].map(|axis| pixels.shape[axis]);
    let image = |index: usize| BatchImage {
        index,
        id: ImageId(index as u64 + 1),
        size: [shape[2], shape[3]],
        original: [shape[2], shape[3]],
        scale: [1.0; 2],
        offset: [0.0; 2],
        flipped: false,
        boxes: case[&format!("boxes{index}")].values.as_chunks::<4>().0.to_vec(),
        classes: case[&format!("labels{index}")].values.iter().map(|label| *label as usize).collect(),
        masks: vec![],
        crowds: vec![],
        exhaustive: None,
    };
    Batch { pixels: pixels.values.clone(), shape, images: (0..shape[0]).map(image).collect() }
}

/// One picture of a batch as a batch.
fn one(batch: &Batch, image: usize) -> Batch {
    let [_, channels, height, width] = batch.shape;
    let size = channels * height * width;
    Batch {
        pixels: batch.pixels[image * size..][..size].to_vec(),
        shape: [1, channels, height, width],
        images: vec![batch.images[image].clone()],
    }
}
