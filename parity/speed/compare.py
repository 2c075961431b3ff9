"""Times `equipoise bench` and PyTorch on the same cases in turns, and prints the ratios as a Markdown table.

    python -m venv venv && venv/bin/pip install -r parity/speed/requirements.txt
    cargo build --release
    venv/bin/python parity/speed/compare.py [--parts loss ops step predict] [--rounds 3] [--threads 2] [--only fcbl]

PyTorch runs with glibc's thresholds raised, so that it keeps large buffers instead of asking the system for them at each step, which
makes it several times faster on large tensors. A ratio is the median over the rounds of (equipoise / PyTorch): below 1, equipoise is faster.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TUNED = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "8589934592", "MALLOC_TOP_PAD_": "268435456"}


def run(command, env=None):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})})
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    report = json.loads(done.stdout)
    return {(case["name"], case["shape"]): case["median_ms"] for case in report["cases"]}, report["peak_memory_bytes"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--parts", nargs="+", default=["loss", "ops", "step", "predict"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", default="2")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--only", default="", help="only cases whose name or shape contains this")
    parser.add_argument("--program", default=ROOT / "target" / "release" / "equipoise")
    args = parser.parse_args()
    options = ["--seconds", args.seconds, "--threads", args.threads, "--only", args.only]
    script = pathlib.Path(__file__).with_name("torch_bench.py")
    print("| case | shape | equipoise ms | PyTorch ms | ratio | of the rounds |")
    print("|---|---|---|---|---|---|")
    for part in args.parts:
        ours, theirs, peaks = [], [], []
        for _ in range(args.rounds):
            for side, command, env in (
                (ours, [args.program, "bench", part, "--json", *options], None),
                (theirs, [sys.executable, script, part, *options], TUNED),
            ):
                times, peak = run(command, env)
                side.append(times)
                peaks.append(peak)
        for case in ours[0]:
            if case not in theirs[0]:
                continue
            ratios = [mine[case] / other[case] for mine, other in zip(ours, theirs)]
            middle = [statistics.median(times[case] for times in side) for side in (ours, theirs)]
            spread = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
            print(f"| {case[0]} | {case[1]} | {middle[0]:.2f} | {middle[1]:.2f} | {statistics.median(ratios):.2f} | {spread} |")
        mine, other = (max(peaks[side::2]) / 2**20 for side in (0, 1))
        print(f"| peak memory, MiB | {part} | {mine:.0f} | {other:.0f} | {mine / other:.2f} | |")


if __name__ == "__main__":
    main()
