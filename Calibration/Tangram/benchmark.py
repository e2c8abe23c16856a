"""Times a picture, Vernier against PyTorch eager on the same weights and threads: `benchmark.py PATH/TO/vernier`.

Rounds alternate inside one run; the figure is the median over rounds of seconds a picture, text encoder and image decoder
included, model loading excluded. PyTorch runs in fp32 and, under autocast, in bf16: the opponent is the faster of the two.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import torch

import captions
from export import FOLDER, SAMPLING, load_exported
from model import generate
from scenes import read_corpus

ROUNDS, CORPUS = 5, Path(__file__).resolve().parent.parent / "Corpora" / "tangram-heldout.jsonl"


@torch.no_grad()
def pytorch(networks, prompts, precision):
    encoder, transformer, tokenizer = networks
    context = torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bf16" else nullcontext()
    began = time.perf_counter()
    with context:
        ids, mask = captions.pad(captions.encode(prompts))
        accumulated = generate(
            transformer, encoder(ids, mask), mask, SAMPLING["guidance"], SAMPLING["temperature"], SAMPLING["top_p"],
            torch.Generator().manual_seed(0))
        tokenizer.decode(accumulated.float())
    return (time.perf_counter() - began) / len(prompts)


def vernier(binary, count, threads):
    """The last of three batches, warm as PyTorch is."""
    time.sleep(0.3)  # lets PyTorch's workers stop spinning
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [binary, "generate", "--model", str(FOLDER), "--prompts", str(CORPUS), "--limit", str(3 * count), "--batch", str(count),
             "--out", folder, "--report", f"{folder}/report.json", "--progress", "none"],
            check=True, stdout=subprocess.DEVNULL, env={**os.environ, "VERNIER_THREADS": str(threads)})
        return json.loads(Path(folder, "report.json").read_text())["lastBatch"]["seconds"]["total"] / count


def main():
    binary, networks = sys.argv[1], load_exported()
    prompts = [row["prompt"] for row in read_corpus("tangram-heldout")]
    print(f"load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, median of {ROUNDS} alternating rounds, milliseconds a picture\n")
    print("| threads | batch | Vernier | PyTorch fp32 | PyTorch bf16 | Vernier is faster by |\n| --: | --: | --: | --: | --: | --: |")
    for threads in (1, os.cpu_count()):
        torch.set_num_threads(threads)
        for batch in (1, 8):
            times = {"vernier": [], "fp32": [], "bf16": []}
            for round in range(ROUNDS + 1):  # the first round warms up
                for name in times:
                    seconds = vernier(binary, batch, threads) if name == "vernier" else pytorch(networks, prompts[:batch], name)
                    if round:
                        times[name].append(seconds)
            ours, fp32, bf16 = (1000 * statistics.median(values) for values in times.values())
            print(f"| {threads} | {batch} | {ours:.1f} | {fp32:.1f} | {bf16:.1f} | {min(fp32, bf16) / ours:.1f}x |", flush=True)


if __name__ == "__main__":
    main()
