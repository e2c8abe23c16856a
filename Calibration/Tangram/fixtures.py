"""Writes the Swift tests' fixtures from the exported model: pictures for the scene scorer, and one forward pass for parity."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

import captions
from evaluate import held_out, reconstruct, to_bytes
from export import load_exported
from model import GRIDS, generate, residual_bits

TESTS = Path(__file__).resolve().parent.parent.parent / "Tests"
SCORER, PARITY = TESTS / "EvaluationTests" / "Fixtures", TESTS / "ModelFamiliesTests" / "Fixtures"
COUNT, PROMPTS, GUIDANCE = 128, 2, 2.0


def save(tensors, path, note):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in tensors.items()}, path, metadata={"note": note})
    path.chmod(0o644)


def pictures(tokenizer):
    """Held-out scenes as rendered and as the image tokenizer returns them."""
    rows, _, images = held_out(COUNT)
    truth, returned = to_bytes(images), to_bytes(reconstruct(tokenizer, images))
    save({"images": truth}, SCORER / "tangram-ground-truth.safetensors", f"renders of the first {COUNT} held-out scenes, seed 0, RGB")
    save({"images": returned}, SCORER / "tangram-reconstructions.safetensors", "the same pictures, encoded to bits and decoded by Tangram's image tokenizer")
    (SCORER / "tangram-fixture-scenes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@torch.no_grad()
def parity(encoder, transformer, tokenizer):
    """Prompts `i`: ids and text features. Prompt 0: a held-out picture's bits, the guided logits over them, the decoded picture."""
    rows, _, images = held_out(PROMPTS)
    tensors = {}
    for index, row in enumerate(rows):
        ids = torch.tensor(captions.encode([row["prompt"]]))
        features = encoder(ids, torch.ones_like(ids, dtype=torch.bool))
        tensors[f"ids.{index}"], tensors[f"text.{index}"] = ids[0].int(), features[0]
        if index == 0:
            bits = residual_bits(tokenizer.encoder(images[:1]))[0]
            logits = {}
            accumulated = generate(
                transformer, features, torch.ones_like(ids, dtype=torch.bool), GUIDANCE, 1.0, forced=bits, observe=logits.__setitem__)
            for s in range(len(GRIDS)):
                tensors[f"bits.{s}"], tensors[f"logits.{s}"] = bits[s], logits[s]
            tensors["image"] = tokenizer.decode(accumulated)
    prompts = " / ".join(row["prompt"] for row in rows)
    save(tensors, PARITY / "tangram-parity.safetensors",
         f"fp32 on a CPU from the exported weights; prompts: {prompts}; bits.s forced for prompt 0; logits.s guided with {GUIDANCE}, tau 1; "
         "head channel 2c is bit c = 0, 2c + 1 is bit c = 1; image in [-1, 1]")


if __name__ == "__main__":
    torch.set_num_threads(1)
    encoder, transformer, tokenizer = load_exported()
    pictures(tokenizer)
    parity(encoder, transformer, tokenizer)
