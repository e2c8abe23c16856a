"""Scenes: identities, partitions, captions and pictures, batched over `B` scenes of at most two objects.

Legend: B scenes, N = 2 object slots (x or y ascending, never in caption order), S picture width in pixels.

A scene's *identity* is one integer: the background, the first object and, with a relation, the second.
`a left of b` and `b right of a` are one scene, so both wordings fall into the same partition.
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

CORPORA = Path(__file__).resolve().parent.parent / "Corpora"
VOCABULARY = json.loads((CORPORA / "scenes.json").read_text())
COLOURS, BACKGROUNDS = list(VOCABULARY["colours"]), list(VOCABULARY["backgrounds"])
SHAPES, SIZES = list(VOCABULARY["shapes"]), list(VOCABULARY["sizes"])
IMAGE_SIZE = VOCABULARY["image_size"]
OBJECTS = len(COLOURS) * len(SHAPES) * len(SIZES)
SINGLE, BESIDE, STACKED = 0, 1, 2  # the canonical relations: none, first left of second, first above second
WORDINGS = {BESIDE: ("left of", "right of"), STACKED: ("above", "below")}
TRAINING, CALIBRATION, HELD_OUT = 0, 1, 2
SINGLE_SHARE = 0.3  # of the training scenes


@dataclass
class Scenes:
    """A batch of scenes; every field is an integer tensor, `[B]` or `[B, N]`."""

    background: torch.Tensor
    relation: torch.Tensor
    colour: torch.Tensor
    shape: torch.Tensor
    size: torch.Tensor

    def __len__(self):
        return len(self.background)

    def __getitem__(self, rows):
        return Scenes(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def identity(self):
        """`[B]` the canonical integer of each scene."""
        code = (self.colour * len(SHAPES) + self.shape) * len(SIZES) + self.size
        second = torch.where(self.relation == SINGLE, torch.zeros_like(code[:, 1]), code[:, 1])
        return ((self.background * OBJECTS + code[:, 0]) * 3 + self.relation) * OBJECTS + second

    def partition(self):
        """`[B]` TRAINING, CALIBRATION or HELD_OUT: one sixteenth each for the last two, one eighth of the few single-object scenes."""
        h = self.identity().long()
        for _ in range(2):
            h = ((h ^ (h >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
        bucket = (h ^ (h >> 16)) % 16
        width = torch.where(self.relation == SINGLE, 2, 1)
        return torch.where(bucket < width, CALIBRATION, torch.where(bucket < 2 * width, HELD_OUT, TRAINING))

    def rows(self, rng: random.Random):
        """One corpus row a scene: its prompt in one of the equivalent wordings, and the scene in caption order."""
        out = []
        fields = zip(*(getattr(self, name).tolist() for name in self.__dataclass_fields__))
        for background, relation, colours, shapes, sizes in fields:
            objects = [{"colour": COLOURS[c], "shape": SHAPES[s], "size": SIZES[z]} for c, s, z in zip(colours, shapes, sizes)]
            scene = {"background": BACKGROUNDS[background], "objects": objects[:1]}
            if relation != SINGLE:
                mirrored = rng.random() < 0.5
                scene["objects"] = objects[::-1] if mirrored else objects
                scene["relation"] = WORDINGS[relation][mirrored]
            out.append({"prompt": caption(scene), "scene": scene})
        return out


def caption(scene):
    """`a large red circle left of a small blue square on a white background`."""
    named = ["a {size} {colour} {shape}".format(**o) for o in scene["objects"]]
    return f" {scene.get('relation', '')} ".join(named) + f" on a {scene['background']} background"


def draw_scenes(count, generator, partition=TRAINING, single_share=SINGLE_SHARE):
    """`count` random scenes of a partition; two objects never share a colour."""
    def integers(bound, *shape):
        return torch.randint(0, bound, shape, generator=generator)

    kept, have = [], 0
    while have < count:
        n = max(64, 2 * count if partition == TRAINING else 24 * count)
        single = torch.rand(n, generator=generator) < single_share
        first = integers(len(COLOURS), n)
        second = (first + 1 + integers(len(COLOURS) - 1, n)) % len(COLOURS)
        scenes = Scenes(
            integers(len(BACKGROUNDS), n), torch.where(single, SINGLE, BESIDE + integers(2, n)),
            torch.stack([first, second], 1), integers(len(SHAPES), n, 2), integers(len(SIZES), n, 2))
        kept.append(scenes[scenes.partition() == partition])
        have += len(kept[-1])
    joined = Scenes(*(torch.cat([getattr(k, name) for k in kept]) for name in Scenes.__dataclass_fields__))
    return joined[:count]


def parse_rows(rows):
    """The scenes of corpus rows."""
    fields = ([], [], [], [], [])
    for row in rows:
        scene = row["scene"]
        objects, relation = scene["objects"], SINGLE
        for canonical, (wording, mirrored) in WORDINGS.items():
            if scene.get("relation") in (wording, mirrored):
                relation = canonical
                objects = objects if scene["relation"] == wording else objects[::-1]
        objects = (objects * 2)[:2]
        fields[0].append(BACKGROUNDS.index(scene["background"]))
        fields[1].append(relation)
        fields[2].append([COLOURS.index(o["colour"]) for o in objects])
        fields[3].append([SHAPES.index(o["shape"]) for o in objects])
        fields[4].append([SIZES.index(o["size"]) for o in objects])
    return Scenes(*map(torch.tensor, fields))


def read_corpus(name):
    return [json.loads(line) for line in (CORPORA / f"{name}.jsonl").read_text().splitlines()]


# Pictures ---------------------------------------------------------------------------------------------------

ATLAS_REACH, ATLAS_WIDTH = 1.5, 256


def signed_distance(shape, x, y):
    """Distance from (x, y) to a shape's outline at unit circumradius, negative inside."""
    radius = torch.sqrt(x * x + y * y)
    if shape["kind"] == "circle":
        return radius - 1
    if shape["kind"] == "ring":
        return torch.maximum(radius - 1, shape["inner"] - radius)
    nearest, inside = torch.full_like(x, 9.0), torch.zeros_like(x, dtype=torch.bool)
    points = shape["points"]
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1]):
        ex, ey, px, py = bx - ax, by - ay, x - ax, y - ay
        along = ((px * ex + py * ey) / (ex * ex + ey * ey)).clamp(0, 1)
        nearest = torch.minimum(nearest, (px - along * ex) ** 2 + (py - along * ey) ** 2)
        if ay != by:  # even-odd rule: does a ray to the right cross this edge?
            inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * ex / ey)
    return torch.where(inside, -1.0, 1.0) * nearest.sqrt()


def _atlas():
    line = torch.linspace(-ATLAS_REACH, ATLAS_REACH, ATLAS_WIDTH)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([signed_distance(shape, x, y) for shape in VOCABULARY["shapes"].values()])


ATLAS = _atlas()  # [shapes, ATLAS_WIDTH, ATLAS_WIDTH] signed distances, sampled bilinearly


def _table(colours):
    return torch.tensor(list(colours.values()), dtype=torch.float32) / 255


def render(scenes, generator, image_size=IMAGE_SIZE):
    """`[B, 3, S, S]` pictures in [-1, 1], with seeded jitter of place, size, rotation and light.

    Edges are anti-aliased by exact coverage: an outline's signed distance in pixels, clipped to half a pixel each side.
    """
    B, S = len(scenes), image_size

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(*shape, generator=generator)

    low = torch.tensor([VOCABULARY["sizes"][s]["min"] for s in SIZES])[scenes.size]
    high = torch.tensor([VOCABULARY["sizes"][s]["max"] for s in SIZES])[scenes.size]
    radius = low + (high - low) * uniform(0, 1, B, 2)
    jitter = VOCABULARY["place_jitter"]
    place = torch.full((B, 2, 2), 0.5) + uniform(-jitter, jitter, B, 2, 2)  # [B, N, xy]
    step = torch.tensor([-0.23, 0.23])
    place[..., 0] += (scenes.relation == BESIDE)[:, None] * step
    place[..., 1] += (scenes.relation == STACKED)[:, None] * step
    turn = torch.deg2rad(uniform(-1, 1, B, 2) * VOCABULARY["rotation_degrees"])[:, :, None, None]

    line = (torch.arange(S) + 0.5) / S
    dx = line[None, None, None, :] - place[..., 0, None, None]  # [B, N, 1, S]
    dy = line[None, None, :, None] - place[..., 1, None, None]  # [B, N, S, 1]
    scale = radius[:, :, None, None]
    u = (dx * turn.cos() + dy * turn.sin()) / scale  # [B, N, S, S], in units of the circumradius
    v = (dy * turn.cos() - dx * turn.sin()) / scale
    grid = torch.stack([u, v], -1).clamp(-ATLAS_REACH, ATLAS_REACH) / ATLAS_REACH
    distance = F.grid_sample(ATLAS[scenes.shape].flatten(0, 1)[:, None], grid.flatten(0, 1), align_corners=True, padding_mode="border")
    coverage = (0.5 - distance.view(B, 2, S, S) * scale * S).clamp(0, 1)

    light = uniform(0.8, 1.2, B, 2)[:, :, None, None]
    shade = 1 - 0.1 * light * (u + v).clamp(-1.5, 1.5)  # lit from the upper left
    shine = 0.16 * light * torch.exp(-((u + 0.35) ** 2 + (v + 0.35) ** 2) / 0.18)
    slope = 0.05 * uniform(-1, 1, B, 2)[:, :, None, None]
    wash = 1 + slope[:, :1] * (2 * line[None, None, None, :] - 1) + slope[:, 1:] * (2 * line[None, None, :, None] - 1)
    image = _table(VOCABULARY["backgrounds"])[scenes.background][:, :, None, None] * wash
    for n in range(2):
        colour = _table(VOCABULARY["colours"])[scenes.colour[:, n]][:, :, None, None]
        paint = (colour * shade[:, n, None]).clamp(0, 1) * (1 - shine[:, n, None]) + shine[:, n, None]
        alpha = coverage[:, n, None]
        if n == 1:
            alpha = alpha * (scenes.relation != SINGLE)[:, None, None, None]
        image = image * (1 - alpha) + paint * alpha
    return image.clamp(0, 1) * 2 - 1


# Corpora ----------------------------------------------------------------------------------------------------


def _balanced(pool, count):
    """Greedy choice of `count` scenes that keeps every attribute's counts level; ties go to the earlier scene."""
    tags = []
    for background, relation, colours, shapes, sizes in zip(*(getattr(pool, n).tolist() for n in Scenes.__dataclass_fields__)):
        slots = range(1 if relation == SINGLE else 2)
        tags.append([("b", background), ("r", relation)] + [(k, n, a[n]) for n in slots for k, a in (("c", colours), ("s", shapes), ("z", sizes))])
    seen, chosen, left = {}, [], list(range(len(pool)))
    while len(chosen) < count:
        best = min(left, key=lambda i: (sum(seen.get(t, 0) for t in tags[i]) / len(tags[i]), i))
        chosen.append(best)
        left.remove(best)
        for tag in tags[best]:
            seen[tag] = seen.get(tag, 0) + 1
    return pool[torch.tensor(chosen)]


def _unique(scenes):
    first = {}
    for index, identity in enumerate(scenes.identity().tolist()):
        first.setdefault(identity, index)
    return scenes[torch.tensor(list(first.values()))]


def write_corpora(count=256, singles=40):
    """Writes the calibration and the held-out corpus: `count` unique balanced scenes each."""
    for partition, name in ((CALIBRATION, "calibration"), (HELD_OUT, "heldout")):
        generator = torch.Generator().manual_seed(partition)
        one = _balanced(_unique(draw_scenes(2000, generator, partition, 1.0)), singles)
        two = _balanced(_unique(draw_scenes(1500, generator, partition, 0.0)), count - singles)
        rng = random.Random(partition)
        rows = one.rows(rng) + two.rows(rng)
        rng.shuffle(rows)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (CORPORA / f"tangram-{name}.jsonl").write_text(text)


if __name__ == "__main__":
    write_corpora()
