"""Measures the exported Tangram: `evaluate.py [tokenizer | sweep | final]`.

`sweep` chooses the default sampling on the calibration corpus; the other two report on the held-out corpus.
"""

import argparse
import itertools
import time

import torch

import captions
from export import SAMPLING, load_exported
from model import GRIDS, generate
from scenes import parse_rows, read_corpus, render
from score import score, table
from train import psnr


def to_bytes(images):
    """`[B, 3, S, S]` in [-1, 1] to `[B, S, S, 3]` bytes, truncating as the official code does."""
    return ((images.clamp(-1, 1) + 1) / 2 * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@torch.no_grad()
def reconstruct(tokenizer, images):
    return torch.cat([tokenizer.decode(tokenizer.encode(part)[2]) for part in images.split(16)])


@torch.no_grad()
def draw(networks, prompts, guidance, temperature, top_p=SAMPLING["top_p"], seed=0, batch=32):
    """Pictures `[B, 3, S, S]` for prompts."""
    encoder, transformer, tokenizer = networks
    generator, out = torch.Generator().manual_seed(seed), []
    for start in range(0, len(prompts), batch):
        ids, mask = captions.pad(captions.encode(prompts[start : start + batch]))
        accumulated = generate(transformer, encoder(ids, mask), mask, guidance, temperature, top_p, generator)
        out.append(tokenizer.decode(accumulated))
    return torch.cat(out)


def held_out(count=256):
    rows = read_corpus("tangram-heldout")[:count]
    images = render(parse_rows(rows), torch.Generator().manual_seed(0))
    return rows, [row["scene"] for row in rows], images


def measure_tokenizer(networks, count):
    _, scenes, images = held_out(count)
    decoded = reconstruct(networks[2], images)
    print(table("ground truth", score(to_bytes(images).numpy(), scenes)))
    print(table("reconstructions", score(to_bytes(decoded).numpy(), scenes)), f" {psnr(decoded, images):.2f} dB", flush=True)


@torch.no_grad()
def measure_bits(networks, count=64):
    """Teacher-forced accuracy of the conditional logits' bits, by scale."""
    encoder, transformer, tokenizer = networks
    rows, _, images = held_out(count)
    right, total = [0] * len(GRIDS), [0] * len(GRIDS)
    for start in range(0, count, 16):
        labels, inputs, _ = tokenizer.encode(images[start : start + 16])
        ids, mask = captions.pad(captions.encode([r["prompt"] for r in rows[start : start + 16]]))
        pair = transformer(encoder(ids, mask), mask, inputs).unflatten(-1, (-1, 2))
        guess, begin = pair[..., 1] > pair[..., 0], 0
        for s, label in enumerate(labels):
            n = GRIDS[s] ** 2
            right[s] += (guess[:, begin : begin + n] == label.flatten(1, 2).bool()).sum().item()
            total[s] += label.numel()
            begin += n
    print("bit accuracy by scale       ", " ".join(f"{100 * r / t:.1f}" for r, t in zip(right, total)), f" all {100 * sum(right) / sum(total):.1f}", flush=True)


def measure_generation(networks, corpus, count, guidance, temperature):
    rows = read_corpus(corpus)[:count]
    began = time.time()
    images = draw(networks, [row["prompt"] for row in rows], guidance, temperature)
    values = score(to_bytes(images).numpy(), [row["scene"] for row in rows])
    print(table(f"guidance {guidance} temperature {temperature}", values), f" {(time.time() - began) / count:.2f} s a picture", flush=True)
    return images


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("tokenizer", "sweep", "final"))
    parser.add_argument("--count", type=int, default=256, help="prompts")
    parser.add_argument("--guidance", type=float, nargs="+", default=(1.0, 1.5, 2.0, 3.0))
    parser.add_argument("--temperature", type=float, nargs="+", default=(0.3, 0.5, 0.7, 1.0))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    networks = load_exported()
    if arguments.what != "sweep":
        measure_tokenizer(networks, arguments.count)
    if arguments.what == "final":
        measure_bits(networks)
        measure_generation(networks, "tangram-heldout", arguments.count, SAMPLING["guidance"], SAMPLING["temperature"])
    if arguments.what == "sweep":
        for guidance, temperature in itertools.product(arguments.guidance, arguments.temperature):
            measure_generation(networks, "tangram-calibration", arguments.count, guidance, temperature)
