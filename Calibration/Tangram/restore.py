"""Makes checkpoints from the exported model, so that training goes on in a checkout that has none: `restore.py [minutes]`.

`minutes` is the computing time the transformer counts as trained (default 60): `train.py transformer --minutes 180` then
warms up again at the matching place of a 180-minute schedule. Optimisers start fresh; weights are the rounded, exported ones.
"""

import sys

import torch

from export import load_exported
from train import CHECKPOINTS


def main(minutes):
    encoder, transformer, tokenizer = (network.state_dict() for network in load_exported())
    CHECKPOINTS.mkdir(exist_ok=True)
    for stage, modules in {
        "tokenizer": {"tokenizer": tokenizer}, "text": {"encoder": encoder},
        "transformer": {"transformer": transformer, "encoder": encoder},
    }.items():
        path = CHECKPOINTS / f"{stage}.pt"
        if path.exists():
            sys.exit(f"{path.name} exists: training can go on from it; remove it first to start from the exported model")
        torch.save({"used": 60 * minutes, "step": 0, "pictures": 0, "optimisers": [], "modules": modules, "smooth": modules}, path)
    print(f"checkpoints written; go on with: train.py transformer --minutes {3 * minutes:g}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
