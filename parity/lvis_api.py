"""Compares our LVIS numbers with those of lvis-api, the reference.

    pip install lvis pycocotools
    cargo run -p equipoise-eval --example parity_case -- FOLDER
    python parity/lvis_api.py FOLDER

FOLDER holds truth.json, detections.json and metrics.json. Prints both columns; exits with 1 if any of the 13 numbers differs by more than 1e-9.
Optional: nothing in the build or the tests needs Python.
"""

import json
import logging
import sys
from pathlib import Path

import numpy

# lvis-api 0.5.3 uses this alias, which NumPy 1.24 dropped.
numpy.float = float

from lvis import LVIS, LVISEval, LVISResults

OURS = {"AR": "AR@300", "ARs": "ARs@300", "ARm": "ARm@300", "ARl": "ARl@300"}
KEYS = ["AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf", "AR", "ARs", "ARm", "ARl"]
TOLERANCE = 1e-9


def main(folder: Path) -> int:
    logging.disable(logging.INFO)
    truth = LVIS(str(folder / "truth.json"))
    found = LVISResults(truth, str(folder / "detections.json"))
    reference = LVISEval(truth, found, "bbox")
    reference.run()
    theirs = reference.get_results()
    ours = json.loads((folder / "metrics.json").read_text())
    worst = 0.0
    for key in KEYS:
        their = theirs[OURS.get(key, key)]
        our = -1.0 if ours[key] is None else ours[key]
        worst = max(worst, abs(our - their))
        print(f"{key:5} {our:.12f} {their:.12f}")
    print(f"largest difference {worst:.1e}")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
