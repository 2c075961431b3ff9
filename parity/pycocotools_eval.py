"""Compares our COCO numbers with those of pycocotools, the reference, on boxes and masks.

    pip install pycocotools
    cargo run -p equipoise-eval --example parity_case -- FOLDER
    python parity/pycocotools_eval.py FOLDER

Prints both columns; exits with 1 if any of the 12 numbers differs by more than 1e-12.
Optional: nothing in the build or the tests needs Python.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

KEYS = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR", "ARs", "ARm", "ARl"]
TOLERANCE = 1e-12


def compare(folder: Path, name: str, shape: str) -> float:
    ours = json.loads((folder / f"coco_{name}.json").read_text())
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "truth_crowds.json"))
        results = json.loads((folder / f"{name}.json").read_text())
        if shape == "segm":
            for result in results:
                record = truth.imgs[result["image_id"]]
                h, w = int(record["height"]), int(record["width"])
                result["segmentation"] = masks.merge(masks.frPyObjects(result["segmentation"], h, w))
        # The loader writes into the pictures of the truth.
        for record in truth.dataset["images"]:
            record["height"], record["width"] = int(record["height"]), int(record["width"])
        run = COCOeval(truth, truth.loadRes(results), shape)
        run.evaluate()
        run.accumulate()
        run.summarize()
    worst = 0.0
    print(name)
    for key, their in zip(KEYS, run.stats):
        our = -1.0 if ours[key] is None else ours[key]
        worst = max(worst, abs(our - their))
        print(f"  {key:5} {our:.16f} {their:.16f}")
    print(f"  largest difference {worst:.1e}")
    return worst


def main(folder: Path) -> int:
    return int(max(compare(folder, "boxes", "bbox"), compare(folder, "masks", "segm")) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
