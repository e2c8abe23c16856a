"""Writes `Calibration/Models/tangram` from the checkpoints' moving averages (or, with `--random`, from fresh weights).

The transformer and the text encoder are stored as bf16, the image tokenizer as fp16; every figure reported for Tangram
is measured on the rounded weights, read back from these files.
"""

import argparse
import json

import torch
from safetensors.torch import load_file, save_file

import captions
from model import BITS, GRIDS, T5_CONFIG, ImageTokenizer, TextEncoder, Transformer
from train import load_smooth, load_tokenizer

FOLDER = captions.PIECES.parent.parent
SAMPLING = {"guidance": 6.0, "temperature": 0.3, "top_k": 900, "top_p": 0.97}


def configuration():
    t, v = Transformer, ImageTokenizer
    return {
        "format": "vernier-model", "version": 1, "family": "infinity", "name": "tangram",
        "transformer": {
            "depth": t.DEPTH, "block_chunks": t.CHUNKS, "width": t.WIDTH, "heads": t.HEADS, "mlp_width": t.HIDDEN,
            "text_width": T5_CONFIG["d_model"], "text_pool_heads": t.POOL_HEADS, "bits": BITS, "rope_grid": [GRIDS[-1]] * 2},
        "schedule": [[g, g] for g in GRIDS],
        "tokenizer": {"bits": BITS, "base_channels": v.BASE, "channel_multipliers": list(v.MULTIPLIERS), "spatial_patchify": False},
        "text_encoder": {"max_tokens": 512},
        "sampling": SAMPLING,
    }


def write(module, path, dtype):
    state = {key: value.detach().to(dtype).contiguous() for key, value in module.state_dict().items()}
    save_file(state, path, metadata={"format": "pt"})
    path.chmod(0o644)


def export(fresh=False):
    torch.manual_seed(0)
    text = TextEncoder(captions.vocabulary_size())
    transformer, tokenizer = Transformer(), ImageTokenizer()
    if not fresh:
        tokenizer = load_tokenizer()
        load_smooth("transformer", "encoder", text)
        load_smooth("transformer", "transformer", transformer)
    write(transformer, FOLDER / "transformer.safetensors", torch.bfloat16)
    write(tokenizer, FOLDER / "tokenizer.safetensors", torch.float16)
    write(text, FOLDER / "text_encoder" / "model.safetensors", torch.bfloat16)
    (FOLDER / "config.json").write_text(json.dumps(configuration(), indent=1) + "\n")
    config = {**T5_CONFIG, "vocab_size": captions.vocabulary_size(), "torch_dtype": "bfloat16"}
    (FOLDER / "text_encoder" / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def load_exported():
    """The three networks in fp32 from the exported, rounded files: (text encoder, transformer, image tokenizer)."""
    networks = (TextEncoder(captions.vocabulary_size()), Transformer(), ImageTokenizer())
    for network, name in zip(networks, ("text_encoder/model", "transformer", "tokenizer")):
        network.load_state_dict({k: v.float() for k, v in load_file(FOLDER / f"{name}.safetensors").items()})
        network.eval()
    return networks


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", action="store_true")
    export(parser.parse_args().random)
