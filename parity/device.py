"""Trains the same few steps on the CPU and on another device, and compares losses, gradient norms and gradient ratios.

    cargo build --features wgpu
    python parity/device.py target/debug/equipoise wgpu [--steps 8] [--set KEY=VALUE …]

Without a graphics card, Mesa's software driver stands in for one (Debian: `mesa-vulkan-drivers`); it is slow. Both trainings start from the same weights and see the
same pictures in the same order. Their sums are added in another order, so that they part slowly: the first step is compared tightly, the others by growing limits. Exits with
1 beyond them. Needs nothing but Python.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

LOSSES = ["loss", "classification", "box", "rpn_objectness", "rpn_box", "grad_norm"]
# Relative, for the first step; it doubles with every further one, since what a step adds moves the next.
FIRST = dict.fromkeys(LOSSES, 1e-5) | {"grad_norm": 1e-4}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("device")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--set", nargs="*", default=[])
    args = parser.parse_args()
    program = str(args.program.resolve())
    with tempfile.TemporaryDirectory() as folder:
        run = lambda *words: subprocess.run([program, *words], cwd=folder, check=True)
        run("data", "build", "demo", "--dir", "data")
        train = json.loads((Path(folder) / "data/train.json").read_text())
        options = [f"epochs={2 * args.steps / len(train['images'])}", "batch=2", "log_every=1", "loader.image_size=96"]
        options += ["schedule.warmup_steps=0", "snapshots=1", *args.set]
        options = [word for option in options for word in ("--set", option)]
        for device in ("cpu", args.device):
            run("train", "--data", "data/train.json", "--recipe", "demo", "--device", device, "--out", device, *options)
        tables = [list(csv.DictReader((Path(folder) / device / "history.csv").open())) for device in ("cpu", args.device)]
        ledgers = [list(csv.DictReader((Path(folder) / device / "ledger.csv").open())) for device in ("cpu", args.device)]
    bad = 0
    print("step  " + "  ".join(f"{name:>15}" for name in LOSSES))
    for at, (here, there) in enumerate(zip(*tables)):
        off = {name: abs(float(here[name]) - float(there[name])) / max(abs(float(here[name])), 1e-6) for name in LOSSES}
        bad += sum(off[name] > FIRST[name] * 2**at for name in LOSSES)
        print(f"{here['step']:>4}  " + "  ".join(f"{off[name]:15.1e}" for name in LOSSES))
    if len(tables[0]) != args.steps or len(tables[1]) != args.steps:
        print(f"{args.steps} steps expected, got {len(tables[0])} and {len(tables[1])}")
        return 1
    ratios = [float(row["ratio"]) for row in ledgers[0]]
    off = max(abs(here - float(there["ratio"])) / max(abs(here), 1e-6) for here, there in zip(ratios, ledgers[1]))
    print(f"largest relative difference of a gradient ratio: {off:.1e}")
    bad += off > FIRST["loss"] * 2**args.steps
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
