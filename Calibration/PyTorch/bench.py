"""Times a picture, Vernier against PyTorch on the same weights and threads, in one run.

    python Calibration/PyTorch/bench.py Calibration/Models/tangram --vernier .build/release/vernier --out out/bench

Every round measures every contestant once, in a rotating order, so that a noisy machine's drift meets all alike; the first round warms
up and is not counted. A measurement draws some batches one after the other and counts the last, text encoder and image decoder included,
loading excluded. A speed-up is the median over rounds of PyTorch's time over Vernier's in the same round. The opponent is whichever
PyTorch is fastest on this machine: fp32, bf16 weights, fp32 weights under bf16 autocast, or torch.compile if asked for (peer.py). Beside
it stand the speed-ups against fp32 and against bf16 weights, each the faster of eager and compiled, and Vernier's arithmetic.

Writes DIR/bench.json and DIR/bench.md. Needs torch, safetensors and sentencepiece (Calibration/Tangram/requirements.txt).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from bench_report import markdown
from machine import ROOT, machine
from peer import load, tokenize


class Vernier:
    """The command-line tool, started anew for every measurement."""

    def __init__(self, binary, model, corpus, batches, profile=None):
        self.command = [
            binary, "generate", "--model", str(model), "--prompts", str(corpus), "--progress", "none",
            *(["--profile", profile] if profile else [])]
        self.batches = batches

    def prepare(self, threads, batch):
        pass

    def measure(self, threads, batch):
        time.sleep(0.3)  # until PyTorch's workers have stopped spinning
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder, "report.json")
            done = subprocess.run(
                [*self.command, "--limit", str(self.batches * batch), "--batch", str(batch), "--out", folder, "--report", str(report)],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "VERNIER_THREADS": str(threads)})
            if done.returncode:
                raise RuntimeError(done.stderr.strip() or f"exit status {done.returncode}")
            written = json.loads(report.read_text())
            self.work, batch = written["lastBatchWork"], written["lastBatch"]
            self.runs_with = {"arithmetic": batch["arithmetic"], "kernels": batch["kernels"]}
            times = batch["seconds"]
            for stage in ("attention", "retention"):  # thread seconds, as the share of the threads that they took
                times[stage] = times[f"{stage}_threads"] / threads
            return times

    def shares(self, roofline, seconds):
        """Of the time that a stage took, the share that this machine needs at least: operations at the packed products' peak, and for
        each scale no less than its weights take to read."""
        peak, operations = roofline[self.runs_with["arithmetic"]], self.work["operations"]
        reading = self.work["weight_bytes"] / roofline["memory"]
        least = {
            "text": operations["text"] / peak, "decode": operations["decode"] / peak,
            "transformer": sum(max(scale / peak, reading) for scale in operations["transformer_by_scale"])}
        return {stage: least[stage] / seconds[stage] for stage in least}


def roofline(binary, threads):
    """What this machine does at most: operations a second in products of float32 and of bfloat16 pairs, and bytes a second."""
    done = subprocess.run(
        [binary, "roofline"], env={**os.environ, "VERNIER_THREADS": str(threads)}, check=True, capture_output=True, text=True)
    samples = json.loads(done.stdout)["samples"]
    peaks = {s["variant"]: s["operations"] / s["seconds"] for s in samples if s["case"] == "packed product in cache"}
    return {
        "float32": max(rate for variant, rate in peaks.items() if not variant.endswith("dots")),
        "bfloat16": max((rate for variant, rate in peaks.items() if variant.endswith("dots")), default=None),
        "memory": next(s["bytes"] / s["seconds"] for s in samples if s["case"] == "reading memory")}


class PyTorch:
    """A loaded model, measured on the pictures of Vernier's last batch."""

    def __init__(self, peer, inputs, batches, compiles=False):
        self.peer, self.inputs, self.batches, self.compiles = peer, inputs, batches, compiles

    def prepare(self, threads, batch):
        torch.set_num_threads(threads)
        self.peer.settle(batch)
        if self.compiles:
            torch._dynamo.reset()
        self.model = self.peer.compiled() if self.compiles else self.peer

    def measure(self, threads, batch):
        torch.set_num_threads(threads)
        inputs = self.inputs[(self.batches - 1) * batch : self.batches * batch]
        for _ in range(self.batches):
            _, seconds = self.model.generate(inputs)
        return seconds


def contestants(folder, options, most):
    """Name: contestant, for `most` pictures. A model of classes gets a corpus of classes, a model of texts the given one."""
    config = json.loads((folder / "config.json").read_text())
    if config["family"] == "var":
        inputs = [37 * n % config["transformer"]["classes"] for n in range(most)]
        corpus = options.out / f"{folder.resolve().name}-classes.jsonl"
        corpus.write_text("".join(f'{{"class": {one}}}\n' for one in inputs))
    else:
        corpus = options.prompts
        rows = [json.loads(line)["prompt"] for line in corpus.read_text().splitlines()[:most]]
        if len(rows) < most:
            sys.exit(f"bench.py: {corpus.name}: expected {most} prompts, found {len(rows)}. Give a longer --prompts or a smaller --batch.")
        inputs = tokenize(folder, config, rows)
    field = {
        name: Vernier(options.vernier, folder, corpus, options.batches, profile)
        for name, profile in {"Vernier": None, "Vernier + profile": options.profile}.items() if profile or name == "Vernier"}
    peers = {}
    if {"fp32", "autocast"} & set(options.precisions):
        peers["fp32"] = load(folder)
    if "bf16" in options.precisions:
        peers["bf16"] = load(folder, torch.bfloat16)
    if "autocast" in options.precisions:
        peers["autocast"] = peers["fp32"].autocasting()
    for precision in options.precisions:
        field[f"PyTorch {precision}"] = PyTorch(peers[precision], inputs, options.batches)
    for precision in options.precisions if options.compile else []:
        if precision != "autocast":
            field[f"PyTorch {precision} compiled"] = PyTorch(peers[precision], inputs, options.batches, compiles=True)
    return config, field


def compare(field, threads, batch, rounds):
    """Rounds of `{contestant: seconds by stage}` without the first, and why contestants dropped out."""
    counted, failures, field = [], {}, dict(field)
    for number in range(rounds + 1):
        times = {}
        names = list(field)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            try:
                if number == 0:
                    field[name].prepare(threads, batch)
                times[name] = field[name].measure(threads, batch)
            except Exception as error:  # reported in the table: one that does not run says nothing of the others
                failures[name] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                del field[name]
        if number:
            counted.append(times)
        print(".", end="", flush=True)
    return counted, failures


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def summarise(rounds, batch, names):
    """Seconds a picture by contestant and stage, the fastest PyTorch, and how many times as long as Vernier it takes; the same for the
    fastest of each precision."""
    names = [name for name in names if all(name in times for times in rounds)]
    stages = {}
    for name in names:
        seconds = [times[name] for times in rounds]
        stages[name] = {
            **{stage: spread([one[stage] / batch for one in seconds])
               for stage in ("total", "text", "sampling", "decode", "attention", "retention") if stage in seconds[0]},
            "transformer": spread([sum(one["transformer_by_scale"]) / batch for one in seconds]),
            "transformer_by_scale": [statistics.median(scale) / batch for scale in zip(*(one["transformer_by_scale"] for one in seconds))]}

    def fastest(prefix):
        return min((name for name in names if name.startswith(prefix)), key=lambda name: stages[name]["total"]["median"], default=None)

    def speedups(opponent):
        return {
            name: spread([times[opponent]["total"] / times[name]["total"] for times in rounds])
            for name in names if opponent and name.startswith("Vernier")}

    opponent, alike = fastest("PyTorch"), {precision: fastest(f"PyTorch {precision}") for precision in ("fp32", "bf16")}
    return {
        "seconds_per_picture": stages, "opponent": opponent, "speedup": speedups(opponent),
        "against": {precision: {"opponent": name, "speedup": speedups(name)} for precision, name in alike.items() if name}}


def arguments():
    numbers = lambda text: [int(one) for one in text.split(",")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, help="model directories")
    parser.add_argument("--vernier", required=True, help="the built tool")
    parser.add_argument("--roofline", help="the built VernierBench, to hold Vernier's stages against what the machine can do")
    parser.add_argument("--out", required=True, type=Path, help="folder for bench.json and bench.md")
    parser.add_argument("--threads", type=numbers, default=sorted({1, os.cpu_count()}), help="e.g. 1,2 (default: 1 and all cores)")
    parser.add_argument("--batch", type=numbers, default=[1, 8], help="pictures drawn together (default: 1,8)")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default: 5)")
    parser.add_argument("--batches", type=int, default=3, help="batches a measurement draws; the last counts (default: 3)")
    parser.add_argument("--prompts", type=Path, default=ROOT / "Calibration/Corpora/tangram-heldout.jsonl", help="JSON lines")
    parser.add_argument("--profile", help="also measure Vernier with this profile")
    parser.add_argument(
        "--precisions", type=lambda text: text.split(","), default=["fp32", "bf16", "autocast"],
        help="of PyTorch (default: fp32,bf16,autocast)")
    parser.add_argument("--compile", action="store_true", help="also measure torch.compile: minutes, and a C++ compiler")
    options = parser.parse_args()
    unknown = set(options.precisions) - {"fp32", "bf16", "autocast"}
    if unknown or min(options.threads + options.batch + [options.rounds, options.batches]) < 1:
        parser.error("--precisions are of fp32, bf16, autocast; all numbers are at least 1")
    binaries = [Path(one) for one in (options.vernier, options.roofline) if one]
    for path in [*binaries, options.prompts, *(folder / "config.json" for folder in options.models)]:
        if not path.is_file():
            parser.error(f"{path}: no such file")
    options.vernier = str(Path(options.vernier).resolve())
    return options


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    report = {
        "format": "vernier-benchmark", "version": 1, "machine": machine(options.vernier),
        "rounds": options.rounds, "batches": options.batches,
        "load": {"start": os.getloadavg()}, "results": []}
    for folder in options.models:
        config, field = contestants(folder, options, options.batches * max(options.batch))
        for threads in options.threads:
            for batch in options.batch:
                print(f"{config['name']}, {threads} threads, batch {batch} ", end="", flush=True)
                roof = options.roofline and roofline(options.roofline, threads)
                rounds, failures = compare(field, threads, batch, options.rounds)
                result = {"model": config["name"], "schedule": config["schedule"], "threads": threads, "batch": batch,
                          **summarise(rounds, batch, field), "failures": failures, "rounds": rounds}
                result["vernier"] = {
                    name: field[name].runs_with for name in result["seconds_per_picture"] if name.startswith("Vernier")}
                if options.roofline:
                    roofs = [roof, roofline(options.roofline, threads)]
                    result["roofline"] = {key: roof[key] and max(one[key] for one in roofs) for key in roof}
                    result["share_of_roofline"] = {
                        name: field[name].shares(
                            result["roofline"], {stage: batch * one[stage]["median"] for stage in ("text", "transformer", "decode")})
                        for name, one in result["seconds_per_picture"].items() if name.startswith("Vernier")}
                report["results"].append(result)
                report["load"]["end"] = os.getloadavg()
                (options.out / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
                (options.out / "bench.md").write_text(markdown(report))
                print(", ".join(f" {name} x{one['median']:.2f}" for name, one in result["speedup"].items()), flush=True)
    print(f"\n{(options.out / 'bench.md').read_text()}")


if __name__ == "__main__":
    main()
