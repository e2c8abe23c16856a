"""A benchmark's report as Markdown."""


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


def place(result):
    """The first cells of a row."""
    return [result["model"], str(result["threads"]), str(result["batch"])]


def table(header, rows):
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def markdown(report):
    m, results = report["machine"], report["results"]
    contestants = list(dict.fromkeys(
        name for result in results for name in [*result["seconds_per_picture"], *result["failures"]]))
    rivals = [name for name in contestants if name.startswith("Vernier")]
    load = [f"{report['load'][when][0]:.1f}" for when in ("start", "end")]
    parts = [
        "# Vernier against PyTorch\n",
        f"{m['cpu']}, {m['cores']} cores ({' '.join(m['instructions'])}), load {load[0]} at the start and {load[1]} at the end; "
        f"torch {m['torch']} (uses {m['torch_uses']}), Python {m['python']}; Vernier {m['vernier']}, commit {m['commit']}"
        f"{' with uncommitted changes' if m['uncommitted_changes'] else ''}; {m['date']}.\n",
        f"Milliseconds a picture, median (least–most) of {report['rounds']} alternating rounds after one to warm up; of "
        f"{report['batches']} batches drawn in a row the last counts. A speed-up is the median (least–most) over rounds of the "
        "opponent's time over Vernier's, and the opponent is the PyTorch that is fastest here.\n"]

    def cell(result, name):
        if name in result["seconds_per_picture"]:
            return milliseconds(result["seconds_per_picture"][name]["total"])
        return "failed" if name in result["failures"] else ""

    parts.append(table(
        ["model", "threads", "batch", *contestants, "opponent", *(f"speed-up of {name}" for name in rivals)],
        [[*place(result), *(cell(result, name) for name in contestants), result["opponent"] or "",
          *(times(result["speedup"][name]) if name in result["speedup"] else "" for name in rivals)] for result in results]))
    failures = dict.fromkeys(
        f"- {result['model']}, {result['threads']} threads, batch {result['batch']}, {name}: {why}"
        for result in results for name, why in result["failures"].items())
    if failures:
        parts.append("Failed:\n\n" + "\n".join(failures) + "\n")
    parts.append("## Stages\n")
    stages = ["text", "transformer", "sampling", "decode"]
    parts.append(table(
        ["model", "threads", "batch", "contestant", *stages],
        [[*place(result), name, *(milliseconds(seconds[stage]) + share(result, name, stage) for stage in stages)]
         for result in results for name, seconds in result["seconds_per_picture"].items()]))
    parts.append(
        "Text: encoder, conditioning, cross-attention keys and values. Transformer: embedding, blocks, head. Sampling: guidance, "
        "draws, codes (and, for PyTorch, the next scale's input).\n")
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
