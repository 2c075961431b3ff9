"""Compares our Open Images numbers with the rule of the challenge, written out here from its documentation.

    cargo run -p equipoise-eval --example parity_case -- FOLDER
    python parity/open_images.py FOLDER

The rule (challenge pages of Open Images; `challenge_evaluation.md` and `evaluation_protocols.md` of the TensorFlow Object Detection API):
boxes and "yes" labels spread to the ancestors, "no" labels to the descendants; a class counts in a picture where it has a box or a label; best detection first, each is compared
with the box of largest overlap only; a second hit is wrong; what hits no box but lies in a group-of box by half counts once for that group, with
the best score; a group-of box is one object; AP is the area under the falling curve of precision. Prints both columns; exits with 1 beyond 1e-12. Needs no package.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

TOLERANCE = 1e-12


def ancestors(tree: dict) -> dict:
    above = defaultdict(set)

    def walk(node, path):
        above[node["LabelName"]].update(path)
        for child in node.get("Subcategory", []):
            walk(child, path + [node["LabelName"]])

    walk(tree, [])
    return above


def intersection(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(w, 0.0) * max(h, 0.0)


def iou(a, b):
    inner = intersection(a, b)
    return inner / (a[2] * a[3] + b[2] * b[3] - inner) if inner else 0.0


def judge_image(found, single, groups):
    """(score, right) of the detections of a class in a picture."""
    found = sorted(found, key=lambda d: -d["score"])
    used, judged, members = set(), [], defaultdict(list)
    for d in found:
        overlaps = [iou(d["bbox"], g) for g in single]
        best = max(range(len(single)), key=lambda i: overlaps[i], default=None)
        if best is not None and overlaps[best] >= 0.5 and best not in used:
            used.add(best)
            judged.append((d["score"], 1))
            continue
        inside = [intersection(d["bbox"], g) / (d["bbox"][2] * d["bbox"][3]) for g in groups]
        group = max(range(len(groups)), key=lambda i: inside[i], default=None)
        if group is not None and inside[group] >= 0.5:
            members[group].append(d["score"])
        else:
            judged.append((d["score"], 0))
    return judged + [(max(members[g]), 1) for g in sorted(members)]


def average_precision(judged, objects):
    # The sort keeps the order of equal scores: by picture, within it as judged.
    judged = sorted(judged, key=lambda j: -j[0])
    hits, curve = 0, []
    for count, (_, hit) in enumerate(judged, 1):
        hits += hit
        curve.append((hits / objects, hits / count))
    area, previous = 0.0, 0.0
    for i, (recall, _) in enumerate(curve):
        area += (recall - previous) * max(p for _, p in curve[i:])
        previous = recall
    return area


def main(folder: Path) -> int:
    read = lambda name: json.loads((folder / name).read_text())
    truth, found, ours = read("truth_crowds.json"), read("boxes.json"), read("openimages_boxes.json")
    above = ancestors(read("hierarchy.json"))
    names = {c["id"]: c["name"] for c in truth["categories"]}
    ids = {name: i for i, name in names.items()}
    up = {i: {ids[a] for a in above[n] if a in ids} for i, n in names.items()}
    down = {i: {j for j in names if i in up[j]} for i in names}
    boxes, detections = defaultdict(list), defaultdict(list)
    for a in truth["annotations"]:
        for c in {a["category_id"]} | up[a["category_id"]]:
            boxes[a["image_id"], c].append((a["bbox"], a["iscrowd"]))
    for d in found:
        detections[d["image_id"], d["category_id"]].append(d)
    judged, objects = defaultdict(list), defaultdict(int)
    for image in sorted(truth["images"], key=lambda i: i["id"]):
        labels = {c for c in names if boxes[image["id"], c]}
        for c in image["not_exhaustive_category_ids"]:
            labels |= {c} | up[c]
        for c in image["neg_category_ids"]:
            labels |= {c} | down[c]
        for c in labels:
            mine = boxes[image["id"], c]
            objects[c] += len(mine)
            single, groups = ([b for b, crowd in mine if crowd == kind] for kind in (0, 1))
            judged[c] += judge_image(detections[image["id"], c], single, groups)
    aps = {c: average_precision(judged[c], objects[c]) for c in names if objects[c]}
    order = sorted(names, key=lambda c: next(k["instance_count"] for k in truth["categories"] if k["id"] == c))
    theirs = {"AP": sum(aps.values()) / len(aps)}
    for fifth in range(5):
        some = [aps[c] for rank, c in enumerate(order) if rank * 5 // len(order) == fifth and c in aps]
        theirs[f"AP{fifth + 1}"] = sum(some) / len(some)
    worst = 0.0
    for key, their in theirs.items():
        worst = max(worst, abs(ours[key] - their))
        print(f"{key:4} {ours[key]:.16f} {their:.16f}")
    print(f"largest difference {worst:.1e}")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
