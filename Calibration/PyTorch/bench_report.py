"""A benchmark's report as Markdown."""

from machine import sentence


def milliseconds(one):
    """Median and range of a spread, to three figures."""
    digits = 0 if one["median"] >= 0.1 else 1
    median, least, most = (f"{1000 * one[key]:.{digits}f}" for key in ("median", "least", "most"))
    return f"{median} ({least}–{most})"


def times(one):
    return f"{one['median']:.2f}x ({one['least']:.2f}–{one['most']:.2f})"


def share(result, name, stage):
    shares = result.get("share_of_roofline", {}).get(name, {})
    return f", {100 * shares[stage]:.0f} %" if shares.get(stage) else ""


def against(result, name, precision):
    """The speed-up against the fastest PyTorch of a precision."""
    speedups = result["against"].get(precision, {}).get("speedup", {})
    return times(speedups[name]) if name in speedups else ""


def place(result):
    """The first cells of a row."""
    return [result["model"], str(result["threads"]), str(result["batch"])]


def table(header, rows):
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def markdown(report):
    results = report["results"]
    contestants = list(dict.fromkeys(
        name for result in results for name in [*result["seconds_per_picture"], *result["failures"]]))
    rivals = [name for name in contestants if name.startswith("Vernier")]
    parts = [
        "# Vernier against PyTorch\n",
        sentence(report["machine"], report["load"]),
        f"Milliseconds a picture, median (least–most) of {report['rounds']} alternating rounds after one to warm up; of "
        f"{report['batches']} batches drawn in a row the last counts.\n"]

    def cell(result, name):
        if name in result["seconds_per_picture"]:
            return milliseconds(result["seconds_per_picture"][name]["total"])
        return "failed" if name in result["failures"] else ""

    parts.append(table(
        ["model", "threads", "batch", *contestants],
        [[*place(result), *(cell(result, name) for name in contestants)] for result in results]))
    failures = dict.fromkeys(
        f"- {result['model']}, {result['threads']} threads, batch {result['batch']}, {name}: {why}"
        for result in results for name, why in result["failures"].items())
    if failures:
        parts.append("Failed:\n\n" + "\n".join(failures) + "\n")
    parts.append("## Speed-ups\n")
    parts.append(table(
        ["model", "threads", "batch", "contestant", "arithmetic", "kernels", "opponent", "against opponent", "against fp32",
         "against bf16"],
        [[*place(result), name, result["vernier"][name]["arithmetic"], result["vernier"][name]["kernels"],
          result["opponent"] or "", times(result["speedup"][name]) if name in result["speedup"] else "",
          *(against(result, name, precision) for precision in ("fp32", "bf16"))]
         for result in results for name in result["vernier"]]))
    parts.append(
        "Median (least–most) over rounds of PyTorch's time over Vernier's. The opponent is the PyTorch that is fastest here, in whatever "
        "precision. Like for like, Vernier in float32 is to be held against fp32 and in bfloat16 against bf16 (bf16 weights, "
        "not autocast), each eager or, where measured, compiled, whichever is faster.\n")
    parts.append("## Stages\n")
    stages = ["text", "transformer", "attention", "retention", "sampling", "decode"]
    parts.append(table(
        ["model", "threads", "batch", "contestant", *stages],
        [[*place(result), name, *(
            milliseconds(seconds[stage]) + share(result, name, stage) if stage in seconds else "" for stage in stages)]
         for result in results for name, seconds in result["seconds_per_picture"].items()]))
    parts.append(
        "Text: encoder, conditioning, cross-attention keys and values. Transformer: embedding, blocks, head. Attention (self-attention "
        "over the cache, with the scores that a rule needs) and retention (selection and compaction of the cache) are both part of the "
        "transformer; Vernier measures them in each thread, and they are given as the threads' seconds over the number of threads. "
        "Sampling: guidance, draws, codes, the next scale's input.\n")
    if any("roofline" in result for result in results):
        parts.append(
            "Per cent: of the roofline measured in the same run, packed products in cache and, for each scale, the reading of its "
            "weights. The decoder's operations are those of plain convolutions; Winograd's filtering needs fewer, so its share can "
            "pass 100 %.\n")
    parts.append("## Transformer by scale\n")
    for schedule in dict.fromkeys(tuple(map(tuple, result["schedule"])) for result in results):
        here = [result for result in results if tuple(map(tuple, result["schedule"])) == schedule]
        parts.append(table(
            ["model", "threads", "batch", "contestant", *(f"{h}x{w}" for h, w in schedule)],
            [[*place(result), name, *(f"{1000 * one:.1f}" for one in seconds["transformer_by_scale"])]
             for result in here for name, seconds in result["seconds_per_picture"].items()
             if name in (*rivals, result["opponent"])]))
    return "\n".join(parts)
