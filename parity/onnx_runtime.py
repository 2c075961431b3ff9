"""Holds an exported detector in ONNX Runtime against the program's own detections.

    pip install onnxruntime onnx numpy pillow pycocotools
    equipoise weights export RUN --out model.onnx --format onnx --size 256 256
    equipoise predict --run RUN --images PICTURES --out seen
    python parity/onnx_runtime.py model.onnx seen PICTURES

The pictures must have the size of the graph, so that neither side scales them, and be PNG: no two decoders of JPEG agree to the bit. Every detection must have a partner of the same class whose score and corners agree;
near ties may change places and drop out at the end of the list, so that 1 in 500 may lack one. A graph with masks has them pasted here, and 1 pixel
in 1000 may differ from the program's run lengths, where a chance is close to one half. Exits with 1 otherwise. Optional: nothing in the build or the tests needs Python.
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
from pycocotools import mask as run_lengths

SCORE, PIXELS, LOST, MASK = 1e-4, 0.05, 1 / 500, 1e-3


def paste(chances, box, height, width):
    """Pixels whose centre has a chance of at least one half, bilinear between the cells, 0 around them."""
    side = len(chances)
    padded = np.pad(chances, 1).astype(np.float64)
    out = np.zeros((height, width), np.uint8)
    spans, places = [], []
    for low, high, limit in ((box[1], box[3], height), (box[0], box[2], width)):
        first, last = max(int(np.floor(low)), 0), min(int(np.ceil(high)), limit)
        at = (np.arange(first, last) + 0.5 - low) / (high - low) * side + 0.5
        spans.append((first, last))
        places.append(np.clip(at, 0, side + 0.999999))
    (rows, columns) = places
    top, left = rows.astype(int), columns.astype(int)
    down, across = (rows - top)[:, None], (columns - left)[None]
    cell = lambda r, c: padded[np.minimum(r, side + 1)][:, np.minimum(c, side + 1)]
    upper = (1 - across) * cell(top, left) + across * cell(top, left + 1)
    lower = (1 - across) * cell(top + 1, left) + across * cell(top + 1, left + 1)
    out[spans[0][0] : spans[0][1], spans[1][0] : spans[1][1]] = (1 - down) * upper + down * lower >= 0.5
    return out


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
    total = lost = pixels_off = mask_pixels = 0
    with_masks = len(session.get_outputs()) == 4
    worst_score = worst_pixels = seconds = 0.0
    for image, name in names.items():
        picture = np.asarray(Image.open(Path(folder) / Path(name).name).convert("RGB"), np.float32) / 255
        assert picture.shape[:2] == (height, width), f"{name} is {picture.shape[:2]}, not {(height, width)}"
        pixels = ((picture - mean) / std).transpose(2, 0, 1)[None]
        start = time.time()
        boxes, scores, labels, *masks = session.run(None, {"pictures": pixels, "size": np.array([height, width], np.float32)})
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
            if with_masks:
                segmentation = {**found["segmentation"], "counts": found["segmentation"]["counts"].encode()}
                theirs = paste(masks[0][at], boxes[at], height, width)
                pixels_off += int((run_lengths.decode(segmentation) != theirs).sum())
                mask_pixels += int(theirs.sum())
            worst_score, worst_pixels = max(worst_score, float(off[at])), max(worst_pixels, float(gaps[at]))
        lost += int((~taken).sum())
    print(f"{len(names)} pictures, {total} detections, {lost} without a partner")
    print(f"largest differences: score {worst_score:.1e}, corner {worst_pixels:.1e} pixels; {1000 * seconds / len(names):.0f} ms a picture")
    if with_masks:
        print(f"masks: {pixels_off} of {mask_pixels} pixels differ")
    right = total > 0 and lost <= LOST * total and pixels_off <= MASK * mask_pixels and with_masks == (mask_pixels > 0)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
