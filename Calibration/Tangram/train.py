"""Trains Tangram on a CPU: `train.py tokenizer`, then `text`, then `transformer`. Each stage resumes from its checkpoint.

A stage lasts a number of minutes of computing time, not of steps: every schedule (learning rate, picture size, number of
scales) is a function of `progress`, the share of those minutes already used, which the checkpoint remembers.
"""

import argparse
import copy
import math
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import captions
from model import ENDS, GRIDS, ImageTokenizer, TextEncoder, Transformer
from scenes import BACKGROUNDS, COLOURS, HELD_OUT, SHAPES, SINGLE, SIZES, draw_scenes, parse_rows, read_corpus, render

CHECKPOINTS = Path(__file__).resolve().parent / "checkpoints"


class Stage:
    """One resumable training run: modules, optimiser, moving average, clock and log."""

    def __init__(self, name, modules, minutes, rate, average, decay=0.01):
        self.name, self.modules, self.seconds, self.rate, self.average = name, modules, 60 * minutes, rate, average
        parameters = [p for m in modules.values() for p in m.parameters()]
        matrices, vectors = [p for p in parameters if p.dim() > 1], [p for p in parameters if p.dim() <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}], lr=rate, betas=(0.9, 0.97))
        self.parameters = parameters
        self.smooth = {key: copy.deepcopy(m).eval() for key, m in modules.items()}
        self.used, self.step, self.pictures = 0.0, 0, 0
        self.path = CHECKPOINTS / f"{name}.pt"
        if self.path.exists():
            state = torch.load(self.path)
            self.used, self.step, self.pictures = state["used"], state["step"], state["pictures"]
            self.optimiser.load_state_dict(state["optimiser"])
            for key, module in modules.items():
                module.load_state_dict(state["modules"][key])
                self.smooth[key].load_state_dict(state["smooth"][key])
        self.last, self.saved, self.logged = time.time(), time.time(), time.time()
        self.fresh = 0

    @property
    def progress(self):
        return min(1.0, self.used / self.seconds)

    @property
    def finished(self):
        return self.used >= self.seconds

    def update(self, loss, pictures, note=""):
        """One optimiser step, then the moving average, the clock, a log line every 20 s and a checkpoint every minute."""
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        rate = self.rate * min(1.0, (self.step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.pictures += pictures
        self.fresh += pictures
        keep = min(self.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for key, module in self.modules.items():
                for old, new in zip(self.smooth[key].parameters(), module.parameters()):
                    old.lerp_(new, 1 - keep)
        now = time.time()
        self.used += now - self.last
        self.last = now
        if now - self.logged > 20:
            left = (self.seconds - self.used) / 60
            print(f"{self.name} step {self.step} pictures {self.pictures} loss {loss.item():.4f} rate {rate:.5f} "
                  f"{self.fresh / (now - self.logged):.1f}/s, {left:.1f} min left {note}", flush=True)
            self.logged, self.fresh = now, 0
        if now - self.saved > 60 or self.finished:
            self.save()

    def save(self):
        CHECKPOINTS.mkdir(exist_ok=True)
        state = {"used": self.used, "step": self.step, "pictures": self.pictures, "optimiser": self.optimiser.state_dict(),
                 "modules": {k: m.state_dict() for k, m in self.modules.items()},
                 "smooth": {k: m.state_dict() for k, m in self.smooth.items()}}
        torch.save(state, self.path.with_suffix(".partial"))
        self.path.with_suffix(".partial").replace(self.path)
        self.saved = time.time()


def load_smooth(stage, key, module):
    module.load_state_dict(torch.load(CHECKPOINTS / f"{stage}.pt")["smooth"][key])
    return module.eval()


def autocast():
    return torch.autocast("cpu", dtype=torch.bfloat16)


def psnr(a, b):
    """Mean over pictures of the peak signal-to-noise ratio in dB; pictures in [-1, 1]."""
    return (10 * torch.log10(4 / (a - b).pow(2).flatten(1).mean(1))).mean().item()


# Image tokenizer --------------------------------------------------------------------------------------------


def train_tokenizer(minutes, seed=1):
    """Half-size pictures first (a quarter of the cost), whole ones for the last 45 % of the time."""
    torch.manual_seed(seed)
    stage = Stage("tokenizer", {"tokenizer": ImageTokenizer().to(memory_format=torch.channels_last)}, minutes, 2.5e-3, 0.99)
    model = stage.modules["tokenizer"]
    generator = torch.Generator().manual_seed(seed * 1000 + stage.step)
    held = render(parse_rows(read_corpus("tangram-heldout"))[:32], torch.Generator().manual_seed(0))
    note = ""
    while not stage.finished:
        half = stage.progress < 0.55
        size, batch = (32, 16) if half else (64, 6)
        images = render(draw_scenes(batch, generator), generator, size).contiguous(memory_format=torch.channels_last)
        with autocast():
            output, commitment = model(images)
        loss = F.mse_loss(output, images) + 0.2 * F.l1_loss(output, images) * (0.3 if stage.progress > 0.8 else 1) + 0.1 * commitment
        if stage.step % 200 == 199:
            with torch.no_grad(), autocast():
                smooth = stage.smooth["tokenizer"]
                note = f"held-out {psnr(smooth.decode(smooth.encode(held)[2]).float(), held):.2f} dB"
        stage.update(loss, batch, f"mse {F.mse_loss(output, images).item():.5f} commit {commitment.item():.3f} {note}")


# Text encoder -----------------------------------------------------------------------------------------------


def caption_batch(scenes, rng):
    """Piece ids and mask of the scenes' captions in a random wording."""
    rows = scenes.rows(rng)
    return (*captions.pad(captions.encode([row["prompt"] for row in rows])), rows)


def train_text(minutes, seed=2):
    """Teaches the text encoder the captions' attributes through throw-away linear probes on three kinds of row.

    Probes read: the end-of-text row (everything about the scene), and the row of each object's last piece (that object).
    """
    torch.manual_seed(seed)
    slot = len(COLOURS) + len(SHAPES) + len(SIZES)
    sizes = [len(BACKGROUNDS), 3] + [len(COLOURS), len(SHAPES), len(SIZES)] * 2
    encoder = TextEncoder(captions.vocabulary_size())
    probe = torch.nn.Linear(128, sum(sizes))
    every = torch.nn.Linear(128, sum(sizes))
    stage = Stage("text", {"encoder": encoder, "probe": probe, "every": every}, minutes, 2e-3, 0.99)
    generator, rng = torch.Generator().manual_seed(seed * 1000 + stage.step), random.Random(seed * 1000 + stage.step)
    while not stage.finished:
        scenes = draw_scenes(64, generator)
        ids, mask, _ = caption_batch(scenes, rng)
        features = encoder(ids, mask)
        ends = features[torch.arange(len(ids)), mask.sum(1) - 1]
        mean = (features * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        targets = [scenes.background, scenes.relation] + [getattr(scenes, n)[:, o] for o in (0, 1) for n in ("colour", "shape", "size")]
        both = (scenes.relation != SINGLE).float()
        loss, right = 0.0, []
        for output in (probe(ends), every(mean)):
            for index, (part, target) in enumerate(zip(output.split(sizes, 1), targets)):
                weight = both if index >= 5 else torch.ones_like(both)
                loss = loss + (F.cross_entropy(part, target, reduction="none") * weight).sum() / weight.sum().clamp(min=1)
                right.append((((part.argmax(1) == target).float() * weight).sum() / weight.sum().clamp(min=1)).item())
        stage.update(loss / 2, len(scenes), "right " + " ".join(f"{r:.2f}" for r in right[:8]))


# Transformer ------------------------------------------------------------------------------------------------


def scales_at(progress, rng):
    """How many scales a step trains on, and its batch: mostly the cheap early scales at first, the whole picture later.

    Early scales never see later ones, so a prefix of the schedule is trained exactly as within the whole.
    """
    whole = max(0.03, 0.55 * (progress - 0.25) / 0.75)
    middle = 0.12 + 0.2 * min(1.0, progress / 0.4)
    draw = rng.random()
    if draw < whole:
        return 10, 16
    return (8, 24) if draw < whole + middle else (6, 48)


def train_transformer(minutes, seed=3):
    torch.manual_seed(seed)
    tokenizer = load_smooth("tokenizer", "tokenizer", ImageTokenizer()).to(memory_format=torch.channels_last)
    encoder = load_smooth("text", "encoder", TextEncoder(captions.vocabulary_size())).train()
    model = Transformer()
    stage = Stage("transformer", {"transformer": model, "encoder": encoder}, minutes, 2e-3, 0.995, decay=0.02)
    generator, rng = torch.Generator().manual_seed(seed * 1000 + stage.step), random.Random(seed * 1000 + stage.step)
    shown = {}
    while not stage.finished:
        count, batch = scales_at(stage.progress, rng)
        scenes = draw_scenes(batch, generator)
        ids, mask, _ = caption_batch(scenes, rng)
        with torch.no_grad(), autocast():
            images = render(scenes, generator).contiguous(memory_format=torch.channels_last)
            labels, inputs, _ = tokenizer.encode(images, 0.16, generator)
        with autocast():
            features = encoder(ids, mask)
            blank = torch.rand(batch, 1, 1, generator=generator) < 0.1
            features = torch.where(blank, model.cfg_uncond[: ids.shape[1]], features)
            logits = model(features, mask, inputs[: count - 1])
        target = torch.cat([label.flatten(1, 2) for label in labels[:count]], 1).float()
        pair = logits.unflatten(-1, (-1, 2))
        cross = F.binary_cross_entropy_with_logits(pair[..., 1] - pair[..., 0], target, reduction="none").mean((0, 2))
        # A scale counts like the square root of its tokens: few early tokens decide what the picture shows.
        per_scale = torch.stack([cross[b:e].mean() for b, e in zip([0] + ENDS, ENDS[:count])])
        weight = torch.tensor([float(g) for g in GRIDS[:count]]) + 2
        loss = (per_scale * weight).sum() / weight.sum()
        for s, value in enumerate(per_scale.tolist()):
            shown[s] = 0.95 * shown.get(s, value) + 0.05 * value
        stage.update(loss, batch, "bit loss by scale " + " ".join(f"{shown[s]:.3f}" for s in sorted(shown)))


STAGES = {"tokenizer": (train_tokenizer, 14), "text": (train_text, 2), "transformer": (train_transformer, 35)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--minutes", type=float, help="computing time of the stage")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train, minutes = STAGES[arguments.stage]
    train(arguments.minutes or minutes)
