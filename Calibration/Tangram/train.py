"""Trains Tangram on a CPU: `train.py tokenizer`, then `decoder`, `text` and `transformer`. Each stage resumes from its checkpoint.

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
from model import ENDS, GRIDS, ImageTokenizer, TextEncoder, Transformer, residual_bits
from scenes import BACKGROUNDS, COLOURS, HELD_OUT, SHAPES, SINGLE, SIZES, Scenes, draw_scenes, parse_rows, read_corpus, render

CHECKPOINTS = Path(__file__).resolve().parent / "checkpoints"


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are orthogonalised by five Newton-Schulz steps, scaled to the size of an AdamW update.

    In a trial of 80 steps it was a third ahead of AdamW, at a tenth to a fifth more time a step.
    """

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr, "momentum": 0.95})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            alike = {}
            for p in group["params"]:
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                velocity.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(velocity, group["momentum"])
                update = update if len(update) <= update.shape[1] else update.T
                alike.setdefault(update.shape, []).append((p, update))
            for shape, pairs in alike.items():
                x = torch.stack([update for _, update in pairs])
                x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
                for _ in range(5):
                    square = x @ x.mT
                    x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
                for (p, _), update in zip(pairs, x):
                    p.add_(update if p.shape == shape else update.T, alpha=-0.2 * math.sqrt(max(shape)) * group["lr"])


class Stage:
    """One resumable training run: modules, optimiser, moving average, clock and log.

    The module `gentle` learns at a tenth of the rate; the matrices in `turned` are trained by Muon, everything else by AdamW.
    """

    def __init__(self, name, modules, minutes, rate, average, decay=0.01, gentle=None, turned=()):
        self.name, self.modules, self.seconds, self.rate, self.average = name, modules, 60 * minutes, rate, average
        parameters = [p for m in modules.values() for p in m.parameters()]
        slow = {id(p) for p in gentle.parameters()} if gentle else set()
        groups = [
            {"params": [p for p in parameters if (p.dim() > 1) == matrix and (id(p) in slow) == late and id(p) not in {id(t) for t in turned}],
             "weight_decay": decay if matrix else 0.0, "share": 0.1 if late else 1.0}
            for matrix in (True, False) for late in (False, True)]
        self.optimisers = [torch.optim.AdamW([g for g in groups if g["params"]], lr=rate, betas=(0.9, 0.97))]
        if turned:
            self.optimisers.append(Muon([{"params": list(turned), "share": 1.0}], rate))
        self.parameters = parameters
        self.smooth = {key: copy.deepcopy(m).eval() for key, m in modules.items()}
        self.used, self.step, self.pictures = 0.0, 0, 0
        self.path = CHECKPOINTS / f"{name}.pt"
        if self.path.exists():
            state = torch.load(self.path)
            self.used, self.step, self.pictures = state["used"], state["step"], state["pictures"]
            for optimiser, saved in zip(self.optimisers, state["optimisers"]):
                optimiser.load_state_dict(saved)
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
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * group["share"]
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
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
        state = {"used": self.used, "step": self.step, "pictures": self.pictures, "optimisers": [o.state_dict() for o in self.optimisers],
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
    """Half-size pictures first (a quarter of the cost), whole ones for the last three quarters of the time.

    Pictures stay channels-first: on a CPU the group norm of channels-last tensors costs more than the convolutions.
    """
    torch.manual_seed(seed)
    stage = Stage("tokenizer", {"tokenizer": ImageTokenizer()}, minutes, 2.5e-3, 0.99)
    model = stage.modules["tokenizer"]
    generator = torch.Generator().manual_seed(seed * 1000 + stage.step)
    held = render(parse_rows(read_corpus("tangram-heldout"))[:32], torch.Generator().manual_seed(0))
    note = ""
    while not stage.finished:
        size, batch = (24, 32) if stage.progress < 0.2 else (48, 16) if stage.progress < 0.85 else (48, 32)
        images = render(draw_scenes(batch, generator), generator, size)
        with autocast():
            output, commitment = model(images)
        loss = F.mse_loss(output, images) + 0.2 * F.l1_loss(output, images) * (0.3 if stage.progress > 0.8 else 1) + 0.1 * commitment
        if stage.step % 100 == 99:
            with torch.no_grad(), autocast():
                smooth = stage.smooth["tokenizer"]
                note = f"held-out {psnr(smooth.decode(smooth.encode(held)[2]).float(), held):.2f} dB"
        stage.update(loss, batch, f"mse {F.mse_loss(output, images).item():.5f} commit {commitment.item():.3f} {note}")


class Reader(torch.nn.Module):
    """The decoder alone, for its own stage."""

    def __init__(self):
        super().__init__()
        self.decoder = ImageTokenizer().decoder


def load_tokenizer():
    """The image tokenizer: the encoder of stage `tokenizer`, the decoder of stage `decoder` if that exists."""
    tokenizer = load_smooth("tokenizer", "tokenizer", ImageTokenizer())
    if (CHECKPOINTS / "decoder.pt").exists():
        tokenizer.decoder = load_smooth("decoder", "reader", Reader()).decoder
    return tokenizer


def train_decoder(minutes, seed=4):
    """Refines the decoder for the final, fixed encoder; it may run beside the transformer's training."""
    torch.manual_seed(seed)
    tokenizer = load_smooth("tokenizer", "tokenizer", ImageTokenizer())
    reader = Reader()
    reader.decoder.load_state_dict(tokenizer.decoder.state_dict())
    stage = Stage("decoder", {"reader": reader}, minutes, 8e-4, 0.99)
    generator = torch.Generator().manual_seed(seed * 1000 + stage.step)
    held = render(parse_rows(read_corpus("tangram-heldout"))[:32], torch.Generator().manual_seed(0))
    with torch.no_grad(), autocast():
        codes = tokenizer.encode(held)[2]
    note = ""
    while not stage.finished:
        images = render(draw_scenes(16, generator), generator)
        with autocast():
            with torch.no_grad():
                accumulated = tokenizer.encode(images)[2]
            output = reader.decoder(accumulated).float()
        loss = F.mse_loss(output, images)
        if stage.step % 100 == 99:
            with torch.no_grad(), autocast():
                note = f"held-out {psnr(stage.smooth['reader'].decoder(codes).float().clamp(-1, 1), held):.2f} dB"
        stage.update(loss * 10, len(images), f"mse {loss.item():.5f} {note}")


# Text encoder -----------------------------------------------------------------------------------------------


def caption_batch(scenes, rng, length=0):
    """Piece ids and mask of the scenes' captions in a random wording."""
    rows = scenes.rows(rng)
    return (*captions.pad(captions.encode([row["prompt"] for row in rows]), length), rows)


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

TEXT_ROWS = 16  # captions are padded to this, so that every step of a kind has the same shapes
SHAPES_OF_STEP = {5: 64, 7: 32, 9: 16}  # number of scales: pictures a step


def scales_at(progress, rng):
    """How many scales a step trains on: mostly the cheap early scales for a seventh of the time, then mostly the whole picture.

    Early scales never see later ones, so a prefix of the schedule is trained exactly as within the whole. They settle the
    background, the colours and the places within minutes; shapes and clean edges are up to the late ones.
    """
    whole = min(0.75 if progress < 0.5 else 0.95, max(0.03, 10 * (progress - 0.1)))
    draw = rng.random()
    return 9 if draw < whole else 7 if draw < whole + 0.6 * (1 - whole) else 5


def draw_emphasised(count, generator, shape=None, share=0.6):
    """Training scenes; with `shape`, that share of them at least shows it: for what is still drawn wrongly late in training."""
    if shape is None:
        return draw_scenes(count, generator)
    scenes = draw_scenes(6 * count, generator)
    present = torch.stack([torch.ones(len(scenes), dtype=torch.bool), scenes.relation != SINGLE], 1)
    shows = ((scenes.shape == SHAPES.index(shape)) & present).any(1).nonzero()[:, 0][: round(share * count)]
    rest = torch.arange(5 * count, 6 * count)[: count - len(shows)]
    return scenes[torch.cat([shows, rest])]


class Pool:
    """Encoded pictures, some of them renewed every few steps: encoding would cost more than a step on the early scales."""

    def __init__(self, tokenizer, generator, count=4096, chunk=32, emphasis=None):
        self.encoder, self.generator, self.chunk, self.next, self.emphasis = tokenizer.encoder, generator, chunk, 0, emphasis
        path, source = CHECKPOINTS / "pool.pt", CHECKPOINTS / "tokenizer.pt"
        if emphasis is None and path.exists() and path.stat().st_mtime > source.stat().st_mtime:
            fields, self.features = torch.load(path)
            self.scenes = Scenes(*fields)
        else:
            self.scenes = draw_emphasised(count, generator, emphasis)
            self.features = torch.cat([self._encode(self.scenes[rows]) for rows in torch.arange(count).split(chunk)])
            if emphasis is None:
                torch.save(([getattr(self.scenes, name) for name in Scenes.__dataclass_fields__], self.features), path)

    @torch.no_grad()
    def _encode(self, scenes):
        with autocast():
            return self.encoder(render(scenes, self.generator)).half()

    def renew(self):
        rows = torch.arange(self.next, self.next + self.chunk) % len(self.scenes)
        fresh = draw_emphasised(self.chunk, self.generator, self.emphasis)
        for name in fresh.__dataclass_fields__:
            getattr(self.scenes, name)[rows] = getattr(fresh, name)
        self.features[rows] = self._encode(fresh)
        self.next = (self.next + self.chunk) % len(self.scenes)

    def draw(self, count):
        rows = torch.randint(0, len(self.scenes), (count,), generator=self.generator)
        return self.scenes[rows], self.features[rows].float()


def train_transformer(minutes, seed=3, compiled=True, emphasis=None):
    torch.manual_seed(seed)
    tokenizer = load_tokenizer()
    encoder = load_smooth("text", "encoder", TextEncoder(captions.vocabulary_size())).train()
    model = Transformer()
    matrices = [p for block in model.blocks() for p in block.parameters() if p.dim() == 2]
    stage = Stage("transformer", {"transformer": model, "encoder": encoder}, minutes, 2.5e-3, 0.995, decay=0.02, gentle=encoder, turned=matrices)
    generator, rng = torch.Generator().manual_seed(seed * 1000 + stage.step), random.Random(seed * 1000 + stage.step)
    pool = Pool(tokenizer, generator, emphasis=emphasis)
    if compiled:
        torch._dynamo.config.cache_size_limit = 64
        for block in model.blocks():
            block.forward = torch.compile(block.forward, dynamic=False)
    stage.last = time.time()
    shown = {}
    while not stage.finished:
        count = scales_at(stage.progress, rng)
        batch = SHAPES_OF_STEP[count]
        if stage.step % 8 == 0:
            pool.renew()
        scenes, pictures = pool.draw(batch)
        labels, inputs, _ = residual_bits(pictures, 0.16, generator, count=count)
        ids, mask, _ = caption_batch(scenes, rng, TEXT_ROWS)
        with autocast():
            features = encoder(ids, mask)
            blank = torch.rand(batch, 1, 1, generator=generator) < 0.1
            features = torch.where(blank, model.cfg_uncond[: ids.shape[1]], features)
            logits = model(features, mask, inputs[: count - 1])
        target = torch.cat([label.flatten(1, 2) for label in labels], 1).float()
        pair = logits.unflatten(-1, (-1, 2))
        cross = F.binary_cross_entropy_with_logits(pair[..., 1] - pair[..., 0], target, reduction="none").mean((0, 2))
        # A scale counts like the square root of its tokens: few early tokens decide what the picture shows.
        per_scale = torch.stack([cross[b:e].mean() for b, e in zip([0] + ENDS, ENDS[:count])])
        weight = torch.tensor([float(g) for g in GRIDS[:count]]) + 2
        loss = (per_scale * weight).sum() / weight.sum()
        for s, value in enumerate(per_scale.tolist()):
            shown[s] = 0.95 * shown.get(s, value) + 0.05 * value
        stage.update(loss, batch, "bit loss by scale " + " ".join(f"{shown[s]:.3f}" for s in sorted(shown)))


STAGES = {"tokenizer": (train_tokenizer, 15), "decoder": (train_decoder, 15), "text": (train_text, 2), "transformer": (train_transformer, 60)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--minutes", type=float, help="computing time of the stage")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--emphasis", choices=SHAPES, help="transformer: show this shape in more of the scenes")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train, minutes = STAGES[arguments.stage]
    options = {"emphasis": arguments.emphasis} if arguments.stage == "transformer" else {}
    train(arguments.minutes or minutes, **options)
