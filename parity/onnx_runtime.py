"""Holds an exported detector in ONNX Runtime against the program's own detections.

    pip install onnxruntime onnx numpy pillow
    equipoise weights export RUN --out model.onnx --format onnx --size 256 256
    equipoise predict --run RUN --images PICTURES --out seen
    python parity/onnx_runtime.py model.onnx seen PICTURES

The pictures must have the size of the graph, so that neither side scales them, and be PNG: no two decoders of JPEG agree to the bit. Every detection must have a partner of the same class whose score and corners agree;
near ties may change places and drop out at the end of the list, so that 1 in 500 may lack one. Exits with 1 otherwise. Optional: nothing in the build or the tests needs Python.
"""

import ast
import json
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

SCORE, PIXELS, LOST = 1e-4, 0.05, 1 / 500


def main(model: str, results: str, folder: str) -> int:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model)
    about = session.get_modelmeta().custom_metadata_map
    mean, std = (np.array(ast.literal_eval(about[key]), np.float32) for key in ("mean", "std"))
    classes = json.loads(about["classes"])
    ids = np.array(classes["ids"])
    _, _, height, width = session.get_inputs()[0].shape
    names = {image["id"]: image["file_name"] for image in json.loads((Path(results) / "images.json").read_text())["images"]}
    ours: dict[int, list] = {image: [] for image in names}
    for found in json.loads((Path(results) / "detections.json").read_text()):
        ours[found["image_id"]].append(found)
    total = lost = 0
    worst_score = worst_pixels = seconds = 0.0
    for image, name in names.items():
        picture = np.asarray(Image.open(Path(folder) / Path(name).name).convert("RGB"), np.float32) / 255
        assert picture.shape[:2] == (height, width), f"{name} is {picture.shape[:2]}, not {(height, width)}"
        pixels = ((picture - mean) / std).transpose(2, 0, 1)[None]
        start = time.time()
        boxes, scores, labels = session.run(None, {"pictures": pixels, "size": np.array([height, width], np.float32)})
        seconds += time.time() - start
        corners = boxes.copy()
        corners[:, 2:] -= corners[:, :2]
        total += max(len(ours[image]), len(scores))
        taken = np.zeros(len(scores), bool)
        for found in ours[image]:
            gaps = np.abs(corners - np.array(found["bbox"], np.float32)).max(1, initial=0)
            off = np.abs(scores - found["score"])
            fits = (ids[labels] == found["category_id"]) & (gaps < PIXELS) & (off < SCORE) & ~taken
            if not fits.any():
                lost += 1
                continue
            at = int(np.flatnonzero(fits)[0])
            taken[at] = True
            worst_score, worst_pixels = max(worst_score, float(off[at])), max(worst_pixels, float(gaps[at]))
        lost += int((~taken).sum())
    print(f"{len(names)} pictures, {total} detections, {lost} without a partner")
    print(f"largest differences: score {worst_score:.1e}, corner {worst_pixels:.1e} pixels; {1000 * seconds / len(names):.0f} ms a picture")
    return 0 if total > 0 and lost <= LOST * total else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
