"""Reads pictures back: which objects are there, and does the picture show what its prompt says? numpy only, no randomness.

Steps for one picture `[S, S, 3]` of 0..255 values:

1. Background: the median colour of the outermost two pixels on every side, named after the nearest background colour.
2. Label: a pixel further than FOREGROUND from that median belongs to an object. Mixed with the background at an edge, an
   object's colour moves along a line towards it, so the label is the palette colour whose direction *from the background*
   is closest (largest cosine; ties go to the first in the vocabulary).
3. Objects: 4-connected components of equal label with at least SMALLEST pixels.
4. Coverage: how far each pixel around a component has moved from the background to the component's mean colour, in 0..1.
   Its sum is the area, its weighted mean the place.
5. Shape: for each shape, circumradius = sqrt(area / area of the unit shape); the shape drawn there at rotations of
   -10 .. 10 degrees; the best sum(min) / sum(max) overlap wins (ties: the first). Size: circumradius as a share of the
   picture, against the middle between the two size ranges.
6. Agreement: expected objects take found ones of their colour; the rest pair up in order of area. Relation: the places on
   the relation's axis. A picture is *right* when the background, the number of objects and everything else agree.
"""

import json
from pathlib import Path

import numpy as np

VOCABULARY = json.loads((Path(__file__).resolve().parent.parent / "Corpora" / "scenes.json").read_text())
FOREGROUND = 48.0  # distance in RGB
SMALLEST = 20  # pixels
ROTATIONS = (-10.0, -5.0, 0.0, 5.0, 10.0)  # degrees
ATTRIBUTES = ("background", "count", "colour", "shape", "size", "relation", "right")
SIZE_BOUNDARY = (VOCABULARY["sizes"]["small"]["max"] + VOCABULARY["sizes"]["large"]["min"]) / 2


def unit_area(shape):
    if shape["kind"] == "circle":
        return np.pi
    if shape["kind"] == "ring":
        return np.pi * (1 - shape["inner"] ** 2)
    points = np.array(shape["points"])
    following = np.roll(points, -1, axis=0)
    return abs(np.sum(points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1])) / 2


def signed_distance(shape, x, y):
    """Distance to the outline at unit circumradius, negative inside; the renderer's definition."""
    radius = np.sqrt(x * x + y * y)
    if shape["kind"] == "circle":
        return radius - 1
    if shape["kind"] == "ring":
        return np.maximum(radius - 1, shape["inner"] - radius)
    nearest, inside = np.full_like(x, 1e9), np.zeros(x.shape, bool)
    points = shape["points"]
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1]):
        ex, ey, px, py = bx - ax, by - ay, x - ax, y - ay
        along = np.clip((px * ex + py * ey) / (ex * ex + ey * ey), 0, 1)
        nearest = np.minimum(nearest, (px - along * ex) ** 2 + (py - along * ey) ** 2)
        if ay != by:
            inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * ex / ey)
    return np.where(inside, -1.0, 1.0) * np.sqrt(nearest)


def components(labels):
    """Masks of the 4-connected regions of equal label >= 0 with at least SMALLEST pixels, in order of their first pixel."""
    S, seen, found = len(labels), labels < 0, []
    for start in zip(*np.nonzero(labels >= 0)):
        if seen[start]:
            continue
        seen[start] = True
        stack, members = [start], []
        while stack:
            y, x = stack.pop()
            members.append((y, x))
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < S and 0 <= u < S and not seen[v, u] and labels[v, u] == labels[start]:
                    seen[v, u] = True
                    stack.append((v, u))
        if len(members) >= SMALLEST:
            mask = np.zeros(labels.shape, bool)
            mask[tuple(np.array(members).T)] = True
            found.append(mask)
    return found


def grow(mask):
    """The mask and its 8-neighbours."""
    padded = np.pad(mask, 1)
    S = len(mask)
    return np.logical_or.reduce([padded[v : v + S, u : u + S] for v in range(3) for u in range(3)])


def describe(picture, mask, background):
    """One component as an object: place (x, y) and circumradius as shares of the picture, and its shape."""
    S = len(picture)
    core = picture[mask].mean(0) - background
    coverage = np.clip((picture - background) @ core / (core @ core), 0, 1) * grow(mask)
    area = coverage.sum()
    ys, xs = np.mgrid[0:S, 0:S] + 0.5
    cx, cy = (coverage * xs).sum() / area, (coverage * ys).sum() / area
    best = (-1.0, None, 0.0)
    for name, shape in VOCABULARY["shapes"].items():
        radius = np.sqrt(area / unit_area(shape))
        for degrees in ROTATIONS if shape["kind"] == "polygon" else (0.0,):
            c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
            u, v = (xs - cx) / radius, (ys - cy) / radius
            drawn = np.clip(0.5 - signed_distance(shape, u * c + v * s, v * c - u * s) * radius, 0, 1)
            overlap = np.minimum(drawn, coverage).sum() / np.maximum(drawn, coverage).sum()
            if overlap > best[0]:
                best = (overlap, name, radius / S)
    return {"x": cx / S, "y": cy / S, "area": area, "shape": best[1], "radius": best[2], "overlap": best[0]}


def read_picture(picture):
    """The scene a picture shows: its background's name, and its objects with colour, shape, size and place."""
    picture = np.asarray(picture, np.float64)
    frame = np.concatenate([picture[:2].reshape(-1, 3), picture[-2:].reshape(-1, 3), picture[2:-2, :2].reshape(-1, 3), picture[2:-2, -2:].reshape(-1, 3)])
    background = np.median(frame, axis=0)
    names, colours = list(VOCABULARY["colours"]), np.array(list(VOCABULARY["colours"].values()), np.float64)
    grounds = VOCABULARY["backgrounds"]
    nearest = min(grounds, key=lambda n: float(np.sum((background - grounds[n]) ** 2)))
    offset = picture - background
    length = np.sqrt((offset**2).sum(-1))
    directions = colours - background
    directions /= np.maximum(np.sqrt((directions**2).sum(-1, keepdims=True)), 1e-9)
    labels = np.where(length > FOREGROUND, (offset @ directions.T).argmax(-1), -1)
    objects = []
    for mask in components(labels):
        colour = names[labels[mask][0]]
        found = describe(picture, mask, background)
        objects.append({"colour": colour, "size": "small" if found["radius"] < SIZE_BOUNDARY else "large", **found})
    return {"background": nearest, "objects": objects}


def agreement(picture, scene):
    """Share of each attribute that agrees with the prompt's scene, and `right` = 1 when all do; `relation` is absent for one object."""
    seen, expected = read_picture(picture), scene["objects"]
    left, paired = sorted(seen["objects"], key=lambda o: -o["area"]), [None] * len(expected)
    for index, want in enumerate(expected):
        match = next((o for o in left if o["colour"] == want["colour"]), None)
        if match is not None:
            paired[index] = match
            left = [o for o in left if o is not match]
    for index in range(len(expected)):
        if paired[index] is None and left:
            paired[index] = left.pop(0)
    result = {"background": float(seen["background"] == scene["background"]), "count": float(len(seen["objects"]) == len(expected))}
    for attribute in ("colour", "shape", "size"):
        result[attribute] = float(np.mean([got is not None and got[attribute] == want[attribute] for want, got in zip(expected, paired)]))
    if "relation" in scene:
        rule = VOCABULARY["relations"][scene["relation"]]
        result["relation"] = float(None not in paired and (paired[0][rule["axis"]] - paired[1][rule["axis"]]) * rule["sign"] > 0)
    result["right"] = float(all(value == 1.0 for value in result.values()))
    return result


def score(pictures, scenes):
    """Mean agreement by attribute over pictures `[n, S, S, 3]` and their scenes."""
    rows = [agreement(picture, scene) for picture, scene in zip(pictures, scenes)]
    return {a: float(np.mean([row[a] for row in rows if a in row])) for a in ATTRIBUTES}


def table(name, values):
    return f"{name:28s} " + "  ".join(f"{a} {100 * values[a]:5.1f}" for a in ATTRIBUTES)
