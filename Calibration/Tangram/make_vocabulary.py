"""Writes `Corpora/scenes.json`, the vocabulary of Tangram's world: the one source for the renderer, the captions and both scorers."""

import json
import math
from pathlib import Path


def polygon(points):
    return {"kind": "polygon", "points": [[round(x, 5), round(y, 5)] for x, y in points]}


def ray(radius, degrees):
    """A point at `degrees` clockwise from the top; y points down."""
    angle = math.radians(degrees)
    return (radius * math.sin(angle), -radius * math.cos(angle))


ARM = 0.3  # half width of the cross's arms
REACH = math.sqrt(1 - ARM * ARM)

VOCABULARY = {
    "fields": {
        "image_size": "width and height of a picture in pixels",
        "colours": "object colours, sRGB 0..255; an object's pixels lie near its colour, shaded by at most a fifth",
        "backgrounds": "background colours, sRGB 0..255",
        "shapes": "outline at unit circumradius around the object's place, y pointing down; "
                  "polygon: closed list of [x, y]; circle: the unit disc; ring: the unit disc without the disc of radius `inner`",
        "sizes": "range of the circumradius as a share of the picture's width",
        "relations": "wording -> axis and whether the first object named has the smaller (-1) or the larger (+1) coordinate on it",
        "rotation_degrees": "largest rotation of an object, either way",
        "place_jitter": "largest shift of an object's place along each axis, as a share of the picture's width",
    },
    "image_size": 48,
    "colours": {
        "red": [220, 40, 45], "orange": [245, 140, 30], "yellow": [240, 220, 50], "green": [45, 165, 75],
        "cyan": [60, 205, 215], "blue": [45, 80, 215], "purple": [150, 60, 190],
    },
    "backgrounds": {"white": [238, 238, 238], "grey": [140, 140, 140], "black": [28, 28, 28], "beige": [222, 200, 165]},
    "shapes": {
        "circle": {"kind": "circle"},
        "square": polygon([ray(1, a) for a in (45, 135, 225, 315)]),
        "triangle": polygon([ray(1, a) for a in (0, 120, 240)]),
        "star": polygon([ray(1 if k % 2 == 0 else 0.45, 36 * k) for k in range(10)]),
        "cross": polygon([
            (ARM, -REACH), (ARM, -ARM), (REACH, -ARM), (REACH, ARM), (ARM, ARM), (ARM, REACH),
            (-ARM, REACH), (-ARM, ARM), (-REACH, ARM), (-REACH, -ARM), (-ARM, -ARM), (-ARM, -REACH)]),
        "ring": {"kind": "ring", "inner": 0.55},
    },
    "sizes": {"small": {"min": 0.13, "max": 0.145}, "large": {"min": 0.205, "max": 0.22}},
    "relations": {
        "left of": {"axis": "x", "sign": -1}, "right of": {"axis": "x", "sign": 1},
        "above": {"axis": "y", "sign": -1}, "below": {"axis": "y", "sign": 1},
    },
    "rotation_degrees": 6,
    "place_jitter": 0.02,
}

if __name__ == "__main__":
    path = Path(__file__).resolve().parent.parent / "Corpora" / "scenes.json"
    path.write_text(json.dumps(VOCABULARY, indent=1) + "\n")
