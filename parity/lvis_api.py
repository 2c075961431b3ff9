"""Compares our LVIS numbers with those of lvis-api, the reference: boxes, masks, and AP-Fixed.

    pip install lvis pycocotools
    cargo run -p equipoise-eval --example parity_case -- FOLDER
    python parity/lvis_api.py FOLDER

Prints both columns; exits with 1 if any number differs by more than 1e-12.
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
from pycocotools import mask as masks

OURS = {"AR": "AR@300", "ARs": "ARs@300", "ARm": "ARm@300", "ARl": "ARl@300"}
KEYS = ["AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf", "AR", "ARs", "ARm", "ARl"]
# The k of AP-Fixed in the case, small enough to bite.
FIXED = 50
TOLERANCE = 1e-12


def compare(title: str, ours: dict, suffix: str, truth, found, shape: str) -> float:
    reference = LVISEval(truth, found, shape)
    reference.run()
    theirs = reference.get_results()
    worst = 0.0
    print(title)
    for key in KEYS:
        their = next(value for name, value in theirs.items() if name.split("@")[0] == key)
        our = -1.0 if ours[key + suffix] is None else ours[key + suffix]
        worst = max(worst, abs(our - their))
        print(f"  {key:5} {our:.16f} {their:.16f}")
    print(f"  largest difference {worst:.1e}")
    return worst


def run_lengths(truth: LVIS, results: list) -> list:
    """lvis-api wants run lengths in results, as detectors write them; the case has polygons."""
    size = {image: (record["height"], record["width"]) for image, record in truth.imgs.items()}
    for result in results:
        h, w = map(int, size[result["image_id"]])
        result["segmentation"] = masks.merge(masks.frPyObjects(result["segmentation"], h, w))
    return results


def best_of_class(results: list) -> list:
    kept = []
    for category in sorted({r["category_id"] for r in results}):
        mine = [r for r in results if r["category_id"] == category]
        mine.sort(key=lambda r: r["image_id"])
        kept += sorted(mine, key=lambda r: r["score"], reverse=True)[:FIXED]
    return kept


def main(folder: Path) -> int:
    logging.disable(logging.INFO)
    read = lambda name: json.loads((folder / name).read_text())
    truth = LVIS(str(folder / "truth.json"))
    boxes, ours = read("boxes.json"), read("lvis_boxes.json")
    differences = [
        compare("boxes", ours, "", truth, LVISResults(truth, read("boxes.json")), "bbox"),
        compare("masks", read("lvis_masks.json"), "", truth, LVISResults(truth, run_lengths(truth, read("masks.json"))), "segm"),
        compare("AP-Fixed", ours, "_fixed", truth, LVISResults(truth, best_of_class(boxes), max_dets=-1), "bbox"),
    ]
    return int(max(differences) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
