"""Compares peer.py with the golden data of Tests/Golden, with the choices forced: `peer.py --check`."""

import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open

from layers import attention_by_products, under
from peer import VAR, Infinity
from sampling import bit_chances, class_chances
from text_encoder import TextEncoder

GOLDEN = Path(__file__).resolve().parent.parent.parent / "Tests" / "Golden"
TOLERANCES = {"logits": 5e-4, "code": 2e-5, "image": 2e-4, "features": 2e-4, "probabilities": 1e-6}
ROUNDED = {"bf16": 5e-3, "autocast": 5e-3}  # of mean squares, relative; a wrong formula moves logits by their own size


def read(name):
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        return json.loads(file.metadata()["config"]), {
            key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def model_of(name):
    """The golden model, its recorded run, and what the file's configuration says."""
    g, weights = read(f"{name}.weights")
    _, tokenizer = read(g["vae_file"])
    _, run = read(f"{name}.run")
    transformer = {"depth": g["depth"], "width": g["embed_dim"], "heads": g["num_heads"]}
    if g["kind"] == "var":
        config = {
            "transformer": transformer, "schedule": [[p, p] for p in g["patch_nums"]],
            "sampling": {"guidance": g["cfg"], "temperature": 1, "top_k": 900, "top_p": 0.95}}
        return VAR(config, under(weights, "transformer."), under(tokenizer, "vae.")), run, g
    config = {
        "transformer": {**transformer, "block_chunks": g["block_chunks"], "rope_grid": g["rope_reference_grid"]}, "schedule": g["scales"],
        "tokenizer": {"bits": g["tokenizer_bits"], "spatial_patchify": g["spatial_patchify"]},
        "sampling": {"guidance": g["cfg"], "temperature": g["tau"], "top_k": 900, "top_p": 0.97}}
    return Infinity(config, under(weights, "transformer."), under(tokenizer, "vae.")), run, g


def inputs_of(model, run):
    if isinstance(model, VAR):
        return run["in.class_ids"].tolist(), [run[f"in.tokens.{s}"].long() for s in range(len(model.tokens))]
    rows = list(run["in.text"].split(run["in.text_lens"].tolist()))
    if len(run.get("in.negative_text_lens", [])):
        rows += run["in.negative_text"].split(run["in.negative_text_lens"].tolist())
    else:
        rows += [model.unconditional[: len(one)] for one in rows]
    return rows, [run[f"in.bits.{s}"].flatten(1, 2) for s in range(len(model.tokens))]


def differences(name, variant):
    """Largest difference of each quantity of a golden run: absolute in fp32, of mean squares where bf16 rounds."""
    model, run, g = model_of(name)
    inputs, forced = inputs_of(model, run)
    if variant == "products, channels last":
        model.attend, model.layout = attention_by_products, torch.channels_last
        model.decoder.to(memory_format=torch.channels_last)
    elif variant == "bf16":
        model = model.to(torch.bfloat16)
        inputs = [rows.bfloat16() if isinstance(rows, torch.Tensor) else rows for rows in inputs]
    elif variant == "autocast":
        model = model.autocasting()
    found = {}

    def observe(what, tensor):
        kind = what.split(".")[0]
        expected = run["out.f_hat" if (kind, g["kind"]) == ("code", "var") else f"out.{what}"]
        tensor = tensor[g["image_rows"]] if kind == "image" else tensor
        if tensor.shape != expected.shape:
            raise SystemExit(f"{name} {what}: expected shape {list(expected.shape)}, found {list(tensor.shape)}")
        found.setdefault(kind, []).append(
            relative(tensor, expected) if variant in ROUNDED else (tensor - expected).abs().max())

    model.generate(inputs, forced, observe)
    return {kind: torch.stack(values).max().item() for kind, values in found.items()}


def relative(found, expected):
    return (found - expected).square().mean() / expected.square().mean()


def text_encoder_differences():
    config, tensors = read("t5-a")
    encoder = TextEncoder(config, under(tensors, "t5."))
    ids = [row[:length].tolist() for row, length in zip(tensors["in.ids"], config["lens"])]
    with torch.inference_mode():
        found = encoder(ids)
    return {"features": torch.stack([(rows - tensors[f"out.features.{b}"]).abs().max() for b, rows in enumerate(found)]).max().item()}


def sampler_differences():
    config, tensors = read("sampler-a")
    largest = []
    for case in config["cases"]:
        logits, expected = tensors[f"case.{case['index']}.logits"], tensors[f"case.{case['index']}.probs"]
        if case["ties"]:  # all of them stay in the official code
            continue
        chances, which = class_chances(logits, case["top_k"], case["top_p"])
        found = torch.zeros_like(logits).scatter(-1, which, chances / chances.sum(-1, keepdim=True))
        largest.append((found - expected).abs().max())
        if logits.shape[-1] == 2:
            largest.append((bit_chances(logits, case["top_k"], case["top_p"])[..., 0] - expected[..., 1]).abs().max())
    return {"probabilities": torch.stack(largest).max().item()}


def main():
    """Prints the largest differences; 1 if one exceeds what the golden files allow."""
    torch.set_num_threads(1)
    comparisons = [
        (name, variant, lambda name=name, variant=variant: differences(name, variant))
        for name in ("var-a", "var-b", "inf-a", "inf-b") for variant in ("fp32", "products, channels last", *ROUNDED)]
    comparisons += [("t5-a", "fp32", text_encoder_differences), ("sampler-a", "fp32", sampler_differences)]
    failures = 0
    for name, variant, compare in comparisons:
        for kind, difference in compare().items():
            most = ROUNDED.get(variant, TOLERANCES[kind])
            fits = difference <= most  # not so for NaN
            failures += not fits
            print(f"{name:9}  {variant:23}  {kind:13}  {difference:.1e}  {'within' if fits else 'EXCEEDS'} {most:.0e}")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
