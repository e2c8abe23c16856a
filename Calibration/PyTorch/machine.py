"""What a report says of the machine and the programs that were measured on it."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent.parent
INSTRUCTIONS = (
    "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "sve", "i8mm", "bf16")


def machine(binary):
    """The processor, its instruction sets, the versions of all that runs, and the date; `binary` is Vernier's, and tells its own."""
    def output(*command):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fields = dict(line.split(":", 1) for line in reversed(info.splitlines()) if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    return {
        "cpu": fields.get("model name") or platform.processor() or platform.machine(), "cores": os.cpu_count(),
        "instructions": [name for name in INSTRUCTIONS if name in flags], "system": platform.platform(),
        "torch": torch.__version__, "torch_uses": torch.backends.cpu.get_cpu_capability(), "python": platform.python_version(),
        "vernier": output(binary, "--version"), "commit": output("git", "rev-parse", "--short=12", "HEAD"),
        "uncommitted_changes": bool(output("git", "status", "--porcelain", "--untracked-files=no")),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")}


def sentence(m, load):
    """The machine of a report, and its load averages at `start` and `end`, in a line."""
    loads = [f"{load[when][0]:.1f}" for when in ("start", "end")]
    return (
        f"{m['cpu']}, {m['cores']} cores ({' '.join(m['instructions'])}), load {loads[0]} at the start and {loads[1]} at the end; "
        f"torch {m['torch']} (uses {m['torch_uses']}), Python {m['python']}; Vernier {m['vernier']}, commit {m['commit']}"
        f"{' with uncommitted changes' if m['uncommitted_changes'] else ''}; {m['date']}.\n")
