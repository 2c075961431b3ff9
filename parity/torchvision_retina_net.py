"""Compares RetinaNet with torchvision's `retinanet_resnet50_fpn` on the same random weights and pictures.

    pip install torch torchvision safetensors
    python parity/torchvision_retina_net.py write FOLDER
    cargo run --release -p equipoise-detect --example parity_retina_net -- FOLDER
    python parity/torchvision_retina_net.py compare FOLDER

Pyramid levels, logits and both losses must agree to 1e-4 of the largest value, and of the detections at least 99 of 100 must be among ours,
by class, score and box: two that score alike within rounding may change places before NMS. Exits with 1 where they do not. The sides of
the pictures are no multiples of 128, so that anchors of the top levels test the layout `torchvision`. Boxes without area, which torchvision
keeps, do not come up. Optional: nothing in the build or the tests needs Python.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torchvision.models.detection import retinanet_resnet50_fpn
from torchvision.models.detection.image_list import ImageList

CLASSES = 7
PICTURES = 2
SIDES = (224, 320)
CLOSE = 1e-4
SHARED = 0.99


def pictures(generator: torch.Generator) -> torch.Tensor:
    """Smooth noise: pixels alone would leave nothing for the upper levels."""
    coarse = torch.randn(PICTURES, 3, SIDES[0] // 16, SIDES[1] // 16, generator=generator)
    fine = torch.randn(PICTURES, 3, *SIDES, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=SIDES, mode="bilinear") + 0.3 * fine


def model() -> torch.nn.Module:
    torch.manual_seed(5)
    net = retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=CLASSES)
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    # Statistics of a few batches, and a head that says more than its prior.
    with torch.no_grad():
        for seed in range(4):
            net.backbone(pictures(torch.Generator().manual_seed(seed)))
        for name, value in net.head.classification_head.named_parameters():
            if name.endswith("weight"):
                value.mul_(2.0)
    return net.eval()


def truth(generator: torch.Generator) -> list[dict]:
    def boxes(count: int) -> torch.Tensor:
        sides = 16 + 120 * torch.rand(count, 2, generator=generator)
        room = torch.tensor([SIDES[1], SIDES[0]]) - sides
        corner = torch.rand(count, 2, generator=generator) * room
        return torch.cat([corner, corner + sides], 1)

    return [
        {"boxes": boxes(count), "labels": torch.randint(0, CLASSES, (count,), generator=generator)} for count in (3, 9)
    ]


def write(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    net, generator = model(), torch.Generator().manual_seed(11)
    pixels, targets = pictures(generator), truth(generator)
    case = {"pixels": pixels}
    expected = {}
    with torch.no_grad():
        features = list(net.backbone(pixels).values())
        outputs = net.head(features)
        anchors = net.anchor_generator(ImageList(pixels, [SIDES] * PICTURES), features)
        for level, feature in enumerate(features):
            expected[f"level{level}"] = feature.contiguous()
        expected["logits"] = outputs["cls_logits"].reshape(-1, CLASSES).contiguous()
        for image, target in enumerate(targets):
            case[f"boxes{image}"], case[f"labels{image}"] = target["boxes"], target["labels"].float()
            alone = {name: value[image : image + 1] for name, value in outputs.items()}
            losses = net.compute_loss([target], alone, [anchors[image]])
            expected[f"losses{image}"] = torch.stack([losses["classification"], losses["bbox_regression"]])
        counts = [feature.shape[2] * feature.shape[3] * 9 for feature in features]
        split = {name: list(value.split(counts, dim=1)) for name, value in outputs.items()}
        found = net.postprocess_detections(split, [list(a.split(counts)) for a in anchors], [SIDES] * PICTURES)
        for image, found in enumerate(found):
            columns = [found["boxes"], found["scores"][:, None], found["labels"][:, None].float()]
            expected[f"found{image}"] = torch.cat(columns, 1)
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, folder / "weights.safetensors")
    save_file({name: value.contiguous() for name, value in case.items()}, folder / "case.safetensors")
    save_file(expected, folder / "torchvision.safetensors")
    print({name: tuple(value.shape) for name, value in expected.items()})
    return 0


def compare(folder: Path) -> int:
    theirs, ours = load_file(folder / "torchvision.safetensors"), load_file(folder / "ours.safetensors")
    wrong = 0
    for name, expected in sorted(theirs.items()):
        got = ours.get(name)
        if got is None or got.shape[1:] != expected.shape[1:]:
            wrong += 1
            print(f"{name:10} has shape {None if got is None else tuple(got.shape)}, expected {tuple(expected.shape)}")
            continue
        if name.startswith("found"):
            far = (got[None] - expected[:, None]).abs() / torch.tensor([SIDES[1]] * 4 + [1.0, CLOSE])
            shared = (far.amax(2) <= CLOSE).any(1).float().mean().item()
            wrong += not shared >= SHARED
            print(f"{name:10} {str(tuple(expected.shape)):22} {shared:.1%} shared{'' if shared >= SHARED else '  TOO FEW'}")
            continue
        off = ((got - expected).abs().max() / expected.abs().max().clamp_min(1e-12)).item() if expected.numel() else 0.0
        wrong += not off <= CLOSE
        print(f"{name:10} {str(tuple(expected.shape)):22} differs by {off:.1e}{'' if off <= CLOSE else '  TOO MUCH'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("write", "compare"):
        sys.exit(__doc__)
    sys.exit({"write": write, "compare": compare}[sys.argv[1]](Path(sys.argv[2])))
