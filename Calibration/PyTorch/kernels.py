"""Times Vernier's kernels against the machine's roofline and PyTorch's operators, and the tool's own stages, in one run.

    python Calibration/PyTorch/kernels.py --bench .build/release/VernierBench --out out/bench --model Calibration/Models/tangram

Every round runs VernierBench once and PyTorch's operators once, one after the other, so that a noisy machine's drift meets both. A row
has the median milliseconds over rounds, the least and the most; what it is of the roofline; and, but for the first variant of a case, how
many times as fast as the first it is, the median of the rounds' ratios. Of the roofline:

    the roofline's own cases     no share but their rate: billions of operations, or of bytes, a second
    linear layers of Vernier     the time that the machine needs at least, over the time taken: operations by the best packed product in
                                 cache of the same arithmetic, or bytes by the speed of reading memory, whichever takes longer; both of
                                 the same round
    loading the model, and       the time to read their files' bytes at that speed, over the time taken
    profiles of Infinity-2B
    all others                   nothing: their operations and bytes are not counted

With a model: drawing pictures against calibrating on as many, compiling, loading the model and a profile.

PyTorch's operators: `F.linear` in fp32 and bf16 at the same sizes, and `F.scaled_dot_product_attention` for the last scale of 1M.
Writes DIR/kernels.json and DIR/kernels.md. Needs torch.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from machine import ROOT, machine, sentence

ROOFLINE = ("packed product in cache", "reading memory")
LINEAR = re.compile(r"(\d+) rows, (\w+) (\d+) -> (\d+)")
HEAD = """Vernier's kernels: {kernels}; arithmetic {arithmetic}, where a variant does not name its own. Median (least to most) of {rounds} rounds. Of
the roofline: the time that the machine needs at least, for operations in cache or bytes from memory, over the time taken; the roofline's
own rows have their rate. Products: Infinity-2B's layers at 0.06M, both branches. Retention: choosing, merging and storing what a cache keeps.
"""
TOOL = """
Drawing and calibrating run the same prompts, 4 together. Drawing includes the image decoder; a calibration does not run it. Probes, which
a calibration has by default, disturb every layer for the first prompts, and store its keys and values in narrower formats: their cost is
that of these prompts, however many follow. "From statistics" includes reading them; they are those with probes.
"""
ATTENTION, HEADS, BRANCHES, WIDTH, QUERIES, HISTORY = "attention, 1M, last scale (4096 queries)", 16, 2, 128, 4096, 6425


def ours(binary, threads, *arguments):
    done = subprocess.run(
        [binary, *arguments], env={**os.environ, "VERNIER_THREADS": str(threads)}, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def seconds_each(work):
    """Seconds of one call, the mean of as many as fill a twentieth of a second."""
    work()
    count = 1
    while True:
        began = time.perf_counter()
        for _ in range(count):
            work()
        took = time.perf_counter() - began
        if took > 0.05:
            return took / count
        count *= 4


class Operators:
    """PyTorch's operators at the sizes of VernierBench's cases."""

    def __init__(self):
        self.weights = {}

    @torch.inference_mode()
    def linear(self, rows, inputs, outputs, dtype):
        key = (inputs, outputs, dtype)
        if key not in self.weights:
            self.weights[key] = torch.full((outputs, inputs), 1 / 3, dtype=dtype)
        x = torch.rand(rows, inputs, dtype=torch.float32).to(dtype) - 0.5
        return seconds_each(lambda: F.linear(x, self.weights[key]))

    @torch.inference_mode()
    def attention(self, history, dtype):
        def rows(count):
            return torch.rand(BRANCHES, HEADS, count, WIDTH).to(dtype) / 4 - 0.125

        queries, keys, values = rows(QUERIES), rows(history + QUERIES), rows(history + QUERIES)
        began = time.perf_counter()
        F.scaled_dot_product_attention(queries, keys, values, scale=1.0)
        return time.perf_counter() - began


def round_of(binary, threads, operators, with_peer, tool):
    """Arithmetic and kernels of the runs, and one round: `{case: {variant: {seconds, share or rate, where it has one}}}`."""
    report = ours(binary, threads)
    samples = report["samples"] + (ours(binary, threads, "tool", *tool)["samples"] if tool else [])
    peaks = {s["variant"]: s["operations"] / s["seconds"] for s in samples if s["case"] == "packed product in cache"}
    exact = max(rate for variant, rate in peaks.items() if not variant.endswith("dots"))
    # Weights that a core's caches hold between calls can be read faster than memory gives them; the share is then above 1.
    speed = next(s["bytes"] / s["seconds"] for s in samples if s["case"] == "reading memory")
    cases = {}
    for s in samples:
        entry = {"seconds": s["seconds"]}
        if s["case"] in ROOFLINE:
            entry["rate"] = s.get("operations", s.get("bytes")) / s["seconds"] / 1e9
        elif "bytes" in s:
            peak = peaks[s["variant"]] if s["variant"].endswith("dots") else exact
            entry["share"] = max(s.get("operations", 0) / peak, s["bytes"] / speed) / s["seconds"]
        cases.setdefault(s["case"], {})["Vernier " + s["variant"]] = entry
    if with_peer:
        time.sleep(0.3)
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            for case in list(cases):
                if found := LINEAR.fullmatch(case):
                    rows, inputs, outputs = int(found[1]), int(found[3]), int(found[4])
                    cases[case]["PyTorch " + name] = {"seconds": operators.linear(rows, inputs, outputs, dtype)}
            cases[ATTENTION]["PyTorch full " + name] = {"seconds": operators.attention(HISTORY, dtype)}
            cases[ATTENTION]["PyTorch 10 % " + name] = {"seconds": operators.attention(HISTORY // 10, dtype)}
    return {"arithmetic": report["arithmetic"], "kernels": report["kernels"]}, cases


def percent(share):
    return f"{100 * share:.{0 if share >= 0.1 else 1 if share >= 0.01 else 2}f} %"


def table(rounds):
    """Markdown lines: median milliseconds, spread, share of the roofline or rate, and speed against the case's first variant."""
    lines = ["| work | variant | ms (least to most) | of the roofline | against the first |", "| --- | --- | --: | --: | --: |"]
    for case, variants in rounds[0].items():
        base = next(iter(variants))
        for variant in variants:
            seconds = [r[case][variant]["seconds"] for r in rounds]
            shares = [r[case][variant].get("share") for r in rounds]
            ratio = statistics.median(r[case][base]["seconds"] / r[case][variant]["seconds"] for r in rounds)
            rate = [r[case][variant].get("rate") for r in rounds]
            share = percent(statistics.median(shares)) if shares[0] else f"{statistics.median(rate):.0f} G/s" if rate[0] else ""
            lines.append(
                f"| {case} | {variant} | {1000 * statistics.median(seconds):.2f} ({1000 * min(seconds):.2f} to {1000 * max(seconds):.2f}) "
                f"| {share} | {'' if variant == base else f'{ratio:.2f}x'} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=".build/release/VernierBench")
    parser.add_argument("--out", type=Path, default=Path("out/bench"))
    parser.add_argument("--threads", default=f"1,{os.cpu_count()}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-pytorch", action="store_true")
    parser.add_argument("--model", help="model directory, for the tool's stages")
    parser.add_argument("--prompts", default=str(ROOT / "Calibration/Corpora/tangram-heldout.jsonl"), help="JSON lines")
    parser.add_argument("--profile", help="profile of the model")
    parser.add_argument("--pictures", type=int, default=32, help="that the tool's stages draw (default: 32)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    tool = []
    if arguments.model:
        tool = ["--model", arguments.model, "--prompts", arguments.prompts, "--pictures", str(arguments.pictures)]
        tool += ["--profile", arguments.profile] if arguments.profile else []
    arguments.bench = str(Path(arguments.bench).resolve())
    operators, text = Operators(), []
    result = {
        "format": "vernier-kernels", "version": 1, "machine": machine(arguments.bench), "rounds": arguments.rounds,
        "load": {"start": os.getloadavg()}, "threads": {}}
    for threads in dict.fromkeys(int(t) for t in arguments.threads.split(",")):
        torch.set_num_threads(threads)
        rounds = []
        for _ in range(arguments.rounds):
            runs_with, cases = round_of(arguments.bench, threads, operators, not arguments.no_pytorch, tool)
            rounds.append(cases)
        result["threads"][threads], result["vernier"] = rounds, runs_with
        text += [f"## {threads} thread{'s' if threads > 1 else ''}", "", *table(rounds), ""]
    result["load"]["end"] = os.getloadavg()
    head = (
        f"# Kernels\n\n{sentence(result['machine'], result['load'])}\n{HEAD.format(**runs_with, rounds=arguments.rounds)}"
        f"{TOOL if tool else ''}\n")
    (arguments.out / "kernels.json").write_text(json.dumps(result, indent=1) + "\n")
    (arguments.out / "kernels.md").write_text(head + "\n".join(text))
    print(head + "\n".join(text))


if __name__ == "__main__":
    main()
