"""Makes detectors of torchvision with everything they say, for a comparison with ours.

    pip install torch torchvision safetensors
    python parity/torchvision_detectors.py FOLDER
    cargo run --release -p equipoise-train --example torchvision_parity -- FOLDER

Faster R-CNN and Mask R-CNN with ResNet-50 and ResNet-101 are trained for some steps with batch statistics, so that these are not trivial,
and then have them frozen. For two batches of other sizes the file has pyramid, proposals, detections and mask logits, losses and all
gradients, the latter in float32 and in float64. Every anchor and proposal trains, so that nothing is drawn. The second program prints the largest differences and
exits with 1 if one is above its limit. Optional: nothing in the build or the tests needs Python.
"""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import resnet
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FrozenBatchNorm2d

CLASSES = 5
STEPS = 8
EVERYTHING = 10**6
SHORT, LONG = 160, 250
# Per batch: height and width of each picture. 160 cells make a top level of 5, and the next of 3: strides that are no power of two.
BATCHES = [[(160, 224)], [(131, 190), (192, 100)]]
CASES = [("faster_rcnn", "resnet50"), ("mask_rcnn", "resnet50"), ("faster_rcnn", "resnet101"), ("mask_rcnn", "resnet101")]


def build(kind: str, depth: str, norm, trainable: int):
    body = getattr(resnet, depth)(weights=None, norm_layer=norm)
    backbone = _resnet_fpn_extractor(body, trainable)
    family = MaskRCNN if kind == "mask_rcnn" else FasterRCNN
    return family(
        backbone,
        num_classes=CLASSES + 1,
        rpn_post_nms_top_n_train=200,
        rpn_post_nms_top_n_test=200,
        rpn_batch_size_per_image=EVERYTHING,
        box_batch_size_per_image=EVERYTHING,
        box_positive_fraction=0.5,
        min_size=SHORT,
        max_size=LONG,
    )


def scene(size, rng):
    """A picture of ellipses on noise, with its truth."""
    height, width = size
    pixels = rng.normal(0.0, 0.4, (3, height, width)).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width] + 0.5
    boxes, labels, masks = [], [], []
    for _ in range(4):
        w, h = rng.integers(24, 80, 2)
        left, top = rng.integers(0, width - w), rng.integers(0, height - h)
        label = int(rng.integers(1, CLASSES + 1))
        mask = ((x - left - w / 2) / (w / 2)) ** 2 + ((y - top - h / 2) / (h / 2)) ** 2 <= 1
        pixels[:, mask] = np.array([label / 3, 1 - label / 3, np.sin(label)], np.float32)[:, None]
        boxes.append([left, top, left + w, top + h])
        labels.append(label)
        masks.append(mask)
    target = {
        "boxes": torch.tensor(np.array(boxes), dtype=torch.float32),
        "labels": torch.tensor(labels),
        "masks": torch.tensor(np.array(masks), dtype=torch.uint8),
    }
    return torch.tensor(pixels), target


def batch_of(sizes, rng):
    scenes = [scene(size, rng) for size in sizes]
    tensors = GeneralizedRCNNTransform(1, 1, [0.0], [1.0]).batch_images([pixels for pixels, _ in scenes])
    return ImageList(tensors, list(sizes)), [target for _, target in scenes]


def train(model, rng):
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.005, momentum=0.9)
    for _ in range(STEPS):
        images, targets = batch_of([(128, 160)] * 2, rng)
        losses = losses_of(model, images, targets)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()


def losses_of(model, images, targets):
    features = model.backbone(images.tensors)
    proposals, rpn_losses = model.rpn(images, features, targets)
    _, head_losses = model.roi_heads(features, proposals, images.image_sizes, targets)
    return {**rpn_losses, **head_losses}


def record(model, images, targets, masks: bool):
    out = {"pixels": images.tensors}
    for at, (size, target) in enumerate(zip(images.image_sizes, targets)):
        out[f"size.{at}"] = torch.tensor(size)
        for key in ("boxes", "labels", "masks"):
            out[f"truth.{key}.{at}"] = target[key]
    logits = []
    if masks:
        model.roi_heads.mask_predictor.register_forward_hook(lambda _module, _inputs, output: logits.append(output))
    model.eval()
    with torch.no_grad():
        features = model.backbone(images.tensors)
        for level, map_ in enumerate(features.values()):
            out[f"level.{level}"] = map_
        proposals, _ = model.rpn(images, features)
        found, _ = model.roi_heads(features, proposals, images.image_sizes)
    for at, one in enumerate(found):
        out[f"proposals.{at}"] = proposals[at]
        for key in ("boxes", "scores", "labels"):
            out[f"found.{key}.{at}"] = one[key]
    if masks:
        own = torch.cat([one["labels"] for one in found])
        own = logits[0][torch.arange(len(own)), own]
        for at, part in enumerate(own.split([len(one["labels"]) for one in found])):
            out[f"found.masks.{at}"] = part.reshape(len(part), -1)
    model.train()
    with torch.no_grad():
        features = model.backbone(images.tensors)
        # The proposal network in training mode, without its losses.
        for at, proposals in enumerate(model.rpn(images, features, targets)[0]):
            out[f"train_proposals.{at}"] = proposals
    model.zero_grad()
    losses = losses_of(model, images, targets)
    sum(losses.values()).backward()
    out.update({f"loss.{name}": value.detach().reshape(1) for name, value in losses.items()})
    out.update(gradients_of(model, "grad"))
    # The same in float64: what rounding alone does to gradients is seen in the difference of these two.
    exact = copy.deepcopy(model).double()
    exact.zero_grad()
    truth = [{**target, "boxes": target["boxes"].double()} for target in targets]
    sum(losses_of(exact, ImageList(images.tensors.double(), images.image_sizes), truth).values()).backward()
    out.update(gradients_of(exact, "exact"))
    return {name: value.detach().float().contiguous() for name, value in out.items()}


def gradients_of(model, prefix: str):
    return {f"{prefix}.{name}": p.grad for name, p in model.named_parameters() if p.grad is not None}


def transforms(folder: Path, rng):
    """Pictures as files, and what the transform makes of them: larger, smaller, limited by the longer side."""
    transform = GeneralizedRCNNTransform(SHORT, LONG, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).eval()
    out = {}
    for at, (height, width) in enumerate([(120, 90), (333, 500), (97, 301), (160, 160)]):
        coarse = Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8))
        picture = np.asarray(coarse.resize((width, height), Image.BICUBIC))
        Image.fromarray(picture).save(folder / f"picture{at}.png")
        images, _ = transform([torch.tensor(picture.copy()).permute(2, 0, 1).float() / 255])
        out[f"size.{at}"] = torch.tensor(images.image_sizes[0]).float()
        out[f"pixels.{at}"] = images.tensors
    save_file(out, folder / "transform.safetensors")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    transforms(folder, rng)
    cases = []
    for kind, depth in CASES:
        torch.manual_seed(7)
        name = f"{kind}_{depth}"
        trained = build(kind, depth, torch.nn.BatchNorm2d, 5)
        train(trained, rng)
        # The stem and the first stage stay as they are, as by default, but for one case that trains everything.
        trainable = 5 if name == "faster_rcnn_resnet50" else 3
        model = build(kind, depth, FrozenBatchNorm2d, trainable)
        model.load_state_dict(trained.state_dict())
        save_file(model.state_dict(), folder / f"{name}.safetensors")
        torch.save(model.state_dict(), folder / f"{name}.pth")
        for at, sizes in enumerate(BATCHES):
            images, targets = batch_of(sizes, rng)
            out = record(model, images, targets, kind == "mask_rcnn")
            save_file(out, folder / f"{name}.batch{at}.safetensors")
            counts = [len(out[f"found.scores.{i}"]) for i in range(len(sizes))]
            losses = {k: round(float(v), 4) for k, v in out.items() if k.startswith("loss.")}
            print(name, "batch", at, "detections", counts, losses, flush=True)
        overrides = [
            f"detector.backbone={depth}",
            f"detector.masks={str(kind == 'mask_rcnn').lower()}",
            f"detector.frozen_stages={5 - trainable}",
            "detector.rpn.post_nms_train=200",
            "detector.rpn.post_nms_test=200",
        ]
        everything = f"{{per_image = {EVERYTHING}, foreground_fraction = 0.5}}"
        overrides += [f"detector.{part}.subsample={everything}" for part in ("rpn", "roi")]
        cases.append({"name": name, "classes": CLASSES, "batches": len(BATCHES), "overrides": overrides})
    loader = [f"loader.image_size={LONG}", f"loader.short_side.from={SHORT}", f"loader.short_side.to={SHORT}"]
    (folder / "cases.json").write_text(json.dumps({"cases": cases, "loader": loader}, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
