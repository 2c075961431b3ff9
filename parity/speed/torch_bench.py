"""The PyTorch and torchvision side of `equipoise bench`: the same cases on the same shapes, as JSON.

    python torch_bench.py loss|ops|step|predict [--seconds 2] [--threads 2]

Names and shapes are those of `equipoise bench`; compare.py runs both in turns and prints the ratios.
"""

import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection._utils import Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d, MultiScaleRoIAlign, box_iou, nms, roi_align
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from torch_losses import CLASSES, loss_cases

CONVOLUTIONS = ((4, 256, 256, 32, 3, 1), (8, 64, 128, 48, 3, 2), (4, 256, 64, 64, 1, 1))


def boxes(count):
    corner, side = torch.rand(count, 2) * 368, 16 + torch.rand(count, 2) * 128
    return torch.cat([corner, corner + side], 1)


def ops_cases():
    torch.manual_seed(0)
    for n, c, out, side, kernel, stride in CONVOLUTIONS:
        x, weight = torch.rand(n, c, side, side) - 0.5, torch.rand(out, c, kernel, kernel) - 0.5
        gradient = torch.rand(n, out, side // stride, side // stride)

        def convolution(x=x, weight=weight, gradient=gradient, stride=stride, padding=kernel // 2):
            x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
            F.conv2d(x, weight, stride=stride, padding=padding).backward(gradient)

        shape = f"{n}x{c}x{side}x{side}, {kernel}x{kernel} to {out}, stride {stride}"
        yield "convolution, both ways", shape, convolution
    features = torch.rand(2, 256, 64, 64) - 0.5
    gradient = torch.rand(1024, 256, 7, 7) - 0.5
    rois = torch.cat([(torch.arange(1024) % 2)[:, None].float(), boxes(1024)], 1)

    def pooling():
        leaf = features.detach().requires_grad_()
        roi_align(leaf, rois, 7, 0.125, 2, True).backward(gradient)

    anchors, truth = boxes(200_000), boxes(100)
    matcher = Matcher(0.7, 0.3, allow_low_quality_matches=True)
    yield "RoIAlign, both ways", "2x256x64x64, 1024 regions, 7x7", pooling
    yield "matching", "200000 anchors, 100 objects", lambda: matcher(box_iou(truth, anchors))
    for count in (1_000, 10_000):
        some, scores = boxes(count), torch.rand(count)
        yield "NMS", f"{count} boxes", lambda some=some, scores=scores: nms(some, scores, 0.5)
    parameter = nn.Parameter(torch.rand(50_000_000))
    parameter.grad = torch.rand(50_000_000)
    optimizer = torch.optim.SGD([parameter], lr=1e-6, momentum=0.9, weight_decay=1e-4, foreach=True)
    yield "SGD", "50 M parameters", optimizer.step


class Block(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False), FrozenBatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), FrozenBatchNorm2d(width)
        self.downsample = None
        if stride != 1 or inputs != width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), FrozenBatchNorm2d(width))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)) + shortcut, inplace=True)


def light():
    """The light backbone with a pyramid on its strides 8 and 16, and the heads of the demo's recipe."""
    body = nn.Sequential()
    body.add_module("stem", nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), FrozenBatchNorm2d(32), nn.ReLU(True)))
    body.add_module("stage0", nn.Sequential(Block(32, 64, 2), Block(64, 64, 1)))
    body.add_module("stage1", Block(64, 128, 2))
    body.add_module("stage2", Block(128, 192, 2))
    backbone = BackboneWithFPN(body, {"stage1": "0", "stage2": "1"}, [128, 192], 64, LastLevelMaxPool())
    anchors = AnchorGenerator(((20,), (36,), (64,)), ((0.7, 1.0, 1.4),) * 3)
    pool = MultiScaleRoIAlign(["0", "1"], 5, 2, canonical_scale=56, canonical_level=4)
    head = torchvision.models.detection.faster_rcnn.TwoMLPHead(64 * 25, 256)

    class Predictor(nn.Module):
        def __init__(self):
            super().__init__()
            self.classes, self.boxes = nn.Linear(256, 61), nn.Linear(256, 4)

        def forward(self, x):
            # Class-agnostic boxes in the layout that torchvision's losses read.
            return self.classes(x), self.boxes(x).repeat(1, 61)

    return FasterRCNN(
        backbone, None, 192, 192, rpn_anchor_generator=anchors, box_roi_pool=pool, box_head=head,
        box_predictor=Predictor(), rpn_pre_nms_top_n_train=600, rpn_post_nms_top_n_train=600, rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_test=200, box_batch_size_per_image=512, box_score_thresh=0.05, box_detections_per_img=300,
    )


def resnet18(side):
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5)
    return FasterRCNN(backbone, CLASSES + 1, side, side, box_score_thresh=0.05, box_detections_per_img=300)


def pictures(batch, side, classes):
    images = [torch.rand(3, side, side) for _ in range(batch)]
    targets = []
    for index in range(batch):
        size = side * (0.1 + 0.4 * torch.rand(8, 2))
        corner = (side - size) * torch.rand(8, 2)
        labels = torch.arange(8) + index * 8
        targets.append({"boxes": torch.cat([corner, corner + size], 1), "labels": labels % classes + 1})
    return images, targets


def step_cases():
    for name, batch, side, classes, build in (
        ("light, step", 8, 192, 60, light),
        ("resnet18, step", 2, 256, CLASSES, lambda: resnet18(256)),
    ):
        torch.manual_seed(0)
        model = build().train()
        images, targets = pictures(batch, side, classes)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9, weight_decay=1e-4, foreach=True)

        def step(model=model, images=images, targets=targets, optimizer=optimizer):
            optimizer.zero_grad()
            sum(model(images, targets).values()).backward()
            optimizer.step()

        yield name, f"{batch} of {side} px, {classes} classes", step


def predict_cases():
    for name, side, classes, build in (
        ("light, predict", 192, 60, light),
        ("resnet18, predict", 320, CLASSES, lambda: resnet18(320)),
    ):
        torch.manual_seed(0)
        model = build().eval()
        images, _ = pictures(1, side, classes)

        def predict(model=model, images=images):
            with torch.inference_mode():
                return model(images)

        yield name, f"1 of {side} px, {classes} classes", predict


def measure(cases, seconds):
    """Times of each case, run in turns as `equipoise bench` does: what one leaves in the caches, the others clear."""
    times = [[] for _ in cases]
    for _, _, work in cases:
        work()
    left = list(range(len(cases)))
    while left:
        for at in left:
            start = time.perf_counter()
            cases[at][2]()
            times[at].append(time.perf_counter() - start)
        left = [at for at in left if len(times[at]) < 3 or (sum(times[at]) < seconds and len(times[at]) < 500)]
    return times


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["loss", "ops", "step", "predict"])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="only cases whose name or shape contains this")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    made = {"loss": loss_cases, "ops": ops_cases, "step": step_cases, "predict": predict_cases}[args.part]
    cases = [case for case in made() if args.only in case[0] or args.only in case[1]]
    results = [
        {"name": name, "shape": shape, "median_ms": 1e3 * statistics.median(times), "runs": len(times)}
        for (name, shape, _), times in zip(cases, measure(cases, args.seconds))
    ]
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"torch": torch.__version__, "threads": args.threads, "peak_memory_bytes": peak, "cases": results}))


if __name__ == "__main__":
    main()
