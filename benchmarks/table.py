"""docs/explanation/benchmarks.md from the stored results: both sides of every claim of speed, ratio and accuracy.

`make gen` writes the page. A benchmark that has not run yet has no row.
"""

from collections.abc import Iterator

from benchmarks.common import GPU_RATIO, RESULTS, read_result

PAGE_HEAD = """# Benchmarks

This page compares each fast part with the plain way to compute the same thing.
Both sides ran in one run, on the same data. "s CPU" are CPU seconds, since other work shared the machine.
All other times are wall seconds. [`make gpu-check`](../how-to/gpu.md#measure-your-gpu) measures a GPU.

`make bench` measures and stores the results in `benchmarks/results/`. `make gen` writes this page from them.
The [cost of the bus](bus-cost.md) and the [scaling simulation](scaling.md) have pages of their own.

| what | plain | merstream | ratio | accuracy | script in `benchmarks/` |
| --- | --- | --- | --- | --- | --- |
"""


def flow_rows() -> Iterator[tuple[str, ...]]:
    for row in (read_result("flow-cpu") or {}).get("results", []):
        if "fast s CPU per pair" not in row:
            continue
        yield (
            f"flow of a pair, {row['rows x columns']}, `{row['profile']}`",
            f"{row['exact s CPU per pair']:.2f} s CPU (SciPy's sparse direct solver)",
            f"{row['fast s CPU per pair']:.4f} s CPU",
            f"{row['ratio CPU']:.0f}",
            f"mean difference {row['difference px mean']:.0e} px, largest {row['difference px max']:.3f} px",
            "flow.py",
        )


def evm_rows() -> Iterator[tuple[str, ...]]:
    if found := read_result("evm-cpu"):
        row = found["float32"]
        yield (
            "ten magnification factors of a clip, 11 frames 224x280",
            f"{row['plain_cpu_s']:.2f} s CPU (factor by factor)",
            f"{row['magnify_paper_cpu_s']:.3f} s CPU",
            f"{row['ratio']:.0f}",
            f"within {row['max_difference']:.0e} of the plain one",
            "evm.py",
        )


def rife_rows() -> Iterator[tuple[str, ...]]:
    for name, row in (read_result("rife-cpu") or {}).get("clips", {}).items():
        yield (
            f"interpolated frames, {name}",
            f"{row['original_forwards']} forwards of RIFE",
            f"`paper` {row['paper_forwards']}, `corrected` {row['corrected_forwards']}",
            f"{row['original_forwards'] / row['paper_forwards']:.1f}",
            "`paper`: identical frames" if row["identical"] else "`paper`: frames differ",
            "rife.py",
        )


def training_rows() -> Iterator[tuple[str, ...]]:
    found = read_result("training-cpu") or {}
    for model in ("fmer-lite", "fmer"):
        if row := found.get(model):
            same, size = f"logits within {row['largest_difference_of_logits']:.0e}", row["size"]
            plain = f"{row['plain_step_cpu_s']:.3g} s CPU (sample by sample)"
            ours, half = (f"{row[name]:.3g} s CPU" for name in ("step_cpu_s", "step_bf16_cpu_s"))
            run = f"{size['subjects']} folds, {size['clips']} clips, {size['epochs']} epochs"
            sides = f"{row['plain_run_s']:.0f} s (fold by fold)", f"{row['run_s']:.0f} s, {size['processes']} processes"
            yield (
                f"training step of `{model}`, {size['batch']} clips",
                plain,
                ours,
                f"{row['step_ratio']:.1f}",
                same,
                "training.py",
            )
            yield (
                f"training step of `{model}` in bf16",
                plain,
                half,
                f"{row['step_ratio_bf16']:.1f}",
                "bf16",
                "training.py",
            )
            yield f"leave-one-subject-out with `{model}`: {run}", *sides, f"{row['run_ratio']:.1f}", "", "training.py"
    if found:
        each = [f"{found[m]['step_cpu_s'] / found[m]['size']['batch']:.2g} s CPU" for m in ("fmer", "fmer-lite")]
        ratio = f"{found['fmer_over_fmer_lite_per_clip']:.0f}"
        yield "training step per clip, `fmer` and `fmer-lite`", *each, ratio, "another network", "training.py"


def end_to_end_rows() -> Iterator[tuple[str, ...]]:
    if found := read_result("end-to-end"):
        wall, peaks = found["wall s"], found["peak MB per worker"]
        yield (
            f"`mer run` without training, {found['clips']} clips 640x480",
            f"{wall['1 process']} s with one process",
            f"{wall['2 processes']} s with two",
            f"{wall['ratio']}",
            "memory of a worker: " + ", ".join(f"{mb} MB after {clips} clips" for clips, mb in peaks.items()),
            "end_to_end.py",
        )


def console_rows() -> Iterator[tuple[str, ...]]:
    if found := read_result("scale-console"):
        name, page = max(found["pages"].items(), key=lambda item: item[1]["large ms"])
        size, memory = found["sizes"]["large"], found["updates"]["MB by sixths"]
        yield (
            f"slowest page of the console: {name}",
            f"{page['small ms']:.0f} ms with one of everything",
            f"{page['large ms']:.0f} ms with {size['clips']:,} clips and {size['runs']:,} runs",
            f"{page['ratio']:.1f}",
            f"memory: {memory[0]} MB, {memory[-1]} MB after {found['updates']['records']:,} records",
            "scale_console.py",
        )


def gpu_tables() -> Iterator[str]:
    """For every GPU that was measured: how many times as fast as two CPU cores of the same machine."""
    for file in sorted(RESULTS.glob("gpu-*.json")):
        found = read_result(file.stem) or {}
        yield f"\n## {found['machine']['device']}\n\n"
        yield f"How many times as fast as two CPU cores of the same machine (`benchmarks/results/{file.name}`):\n\n"
        yield "| part | what | ratio |\n| --- | --- | --- |\n"
        for part, measured in found["parts"].items():
            for name, value in measured["figures"].items():
                if name.endswith(GPU_RATIO):
                    yield f"| `{part}` | {name.removesuffix(f', {GPU_RATIO}')} | {value:.1f} |\n"


def benchmarks_page() -> str:
    """The page's text: one row per claim, and a table per GPU."""
    rows = [
        row
        for claim in (flow_rows, evm_rows, rife_rows, training_rows, end_to_end_rows, console_rows)
        for row in claim()
    ]
    return (
        PAGE_HEAD
        + "".join(f"| {' | '.join((*row[:-1], f'`{row[-1]}`'))} |\n" for row in rows)
        + ("".join(gpu_tables()) or "\nNo GPU has been measured.\n")
    )
