"""The tables of GANs in benchmarks/generative/README.md."""

from __future__ import annotations

import statistics
from typing import Any

Record = dict[str, Any]


def mnist_gans_table(record: Record) -> str:
    """Distances of samples from test images, means over seeds."""
    settings = record["settings"]
    products = "bfloat16" if settings["half_precision"] else "float32"
    dense = " with a dense layer (hinge without)" if settings["dense"] else ""
    lines = [
        f"MNIST, {settings['minutes']:g} minutes of training each, {settings['threads']} "
        f"thread(s), products in {products}; {settings['samples']:,} samples beside as many test "
        "images, in features of a "
        f"classifier of digits ({record['classifier_accuracy']:.1%} right). Means over seeds, and "
        "the least and the largest. The plain GAN has perceptrons, all others "
        f"convolutions{dense}; techniques are added to DCGAN, which has the moving average "
        "alone. Reconstructions: mean squared error of test images, pixels "
        f"from 0 to 1. SHA-256 of the file: {record['mnist_sha256'][:12]}….\n",
        "| model | seeds | FID | KID | precision | recall | reconstruction | steps |",
        "|---|---|---|---|---|---|---|---|",
    ]
    models: dict[str, list[Record]] = {}
    for row in record["records"]:
        models.setdefault(row["model"], []).append(row)
    for name, rows in models.items():
        columns = [_spread(rows, key, 1) for key in ("fid", "kid")]
        columns += [_spread(rows, key, 2) for key in ("precision", "recall")]
        columns += [_spread(rows, "reconstruction", 4), _spread(rows, "steps", 0)]
        lines.append(f"| {name} | {len(rows)} | {' | '.join(columns)} |")
    return "\n".join(lines)


def modes_table(record: Record) -> str:
    """Modes found and good samples, by seed."""
    lines = [
        f"Gaussians of standard deviation {record['std']:g} in the plane; a sample is good within "
        "three of them. One number a seed.\n",
        "| data | game | modes found | good samples | s |",
        "|---|---|---|---|---|",
    ]
    kinds: dict[tuple[str, str], list[Record]] = {}
    for row in record["records"]:
        kinds.setdefault((row["data"], row["game"]), []).append(row)
    for (data, game), rows in kinds.items():
        found = ", ".join(str(row["modes"]) for row in rows)
        good = ", ".join(f"{row['good']:.0%}" for row in rows)
        seconds = statistics.mean(row["seconds"] for row in rows)
        lines.append(f"| {data} | {game} | {found} of {rows[0]['of']} | {good} | {seconds:.0f} |")
    return "\n".join(lines)


def speed_table(record: Record) -> str:
    """Steps of the generator a second, ours and plain."""
    settings = record["settings"]
    lines = [
        f"Batches of {settings['batch_size']}, {settings['threads']} thread(s), in turns; medians. "
        "Ours with the moving average.\n",
        "| nets | steps/s | plain loop | ratio |",
        "|---|---|---|---|",
    ]
    for name, result in record["results"].items():
        ours, plain = (statistics.median(result[key]) for key in ("ours", "plain"))
        lines.append(f"| {name} | {ours:.1f} | {plain:.1f} | {result['ratio']:.2f} |")
    return "\n".join(lines)


def _spread(rows: list[Record], key: str, digits: int) -> str:
    """Mean, and the least and largest if there are several."""
    values = [row[key] for row in rows if key in row]
    if not values:
        return "–"
    mean = f"{statistics.mean(values):.{digits}f}"
    return (
        mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f}–{max(values):.{digits}f})"
    )
