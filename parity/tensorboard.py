"""Reads the event files of a run with the `tensorboard` package and compares them with the run's tables.

    pip install tensorboard 'setuptools<80'
    python parity/tensorboard.py RUN

RUN is a run directory with `tensorboard/` in it, such as FOLDER/two/run0 of `cargo run -p equipoise-eval --example sample_report -- FOLDER`. Exits with 1 if a
number differs from its table by more than a float32 can hold, or something is missing. Optional: nothing in the build or the tests needs Python.
"""

import csv
import sys
from pathlib import Path

# This file must not be taken for the package of the same name.
sys.path = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).resolve().parent]

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

LOSSES = {"train/loss": "loss", "train/cls_loss": "classification", "train/box_loss": "box", "train/lr": "lr"}
SCORES = {"metrics/AP": "AP", "metrics/APr": "APr", "metrics/APc": "APc", "metrics/APf": "APf"}


def table(path: Path) -> list[dict]:
    return list(csv.DictReader(path.open())) if path.exists() else []


def main(run: Path) -> int:
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "histograms": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    wrong = 0
    for name, columns in (("history.csv", LOSSES), ("validation.csv", SCORES)):
        rows = table(run / name)
        for tag, column in columns.items():
            expected = {int(row["step"]): float(row[column]) for row in rows if row[column]}
            found = {event.step: event.value for event in events.Scalars(tag)} if tag in tags["scalars"] else {}
            close = lambda step: abs(found[step] - expected[step]) <= 1e-6 * max(1.0, abs(expected[step]))
            fine = all(step in found and close(step) for step in expected)
            wrong += not fine
            print(f"{tag:24} {len(found):5} steps {'agree' if fine else 'DIFFER from ' + name}")
    ratios = [tag for tag in tags["histograms"] if tag.startswith("gradient_ratio/")]
    snapshots = len({row["step"] for row in table(run / "ledger.csv")})
    for tag in ratios:
        fine = len(events.Histograms(tag)) == snapshots
        wrong += not fine
        print(f"{tag:24} {snapshots:5} distributions {'fine' if fine else 'MISSING'}")
    for tag in tags["images"]:
        picture = events.Images(tag)[-1]
        print(f"{tag:40} {picture.width} x {picture.height} at step {picture.step}")
    wrong += not ratios or not tags["images"]
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
