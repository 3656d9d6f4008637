"""The tables of pixel models in benchmarks/generative/README.md."""

from __future__ import annotations

import statistics
from typing import Any

Record = dict[str, Any]


def sampling_table(record: Record) -> str:
    """Seconds of the same images, drawn with and without a cache.

    >>> row = {"network": "gated", "batch": 1, "parameters": 9, "cached_seconds": [0.2, 0.3, 0.4]}
    >>> row |= {"naive_seconds": 9.0, "times_faster": 30.0, "identical": True}
    >>> settings = {"side": 28, "levels": 2, "blocks": 7, "channels": 64, "threads": 1}
    >>> print(sampling_table({"settings": settings, "results": [row]}).splitlines()[-1])
    | gated | 1 | 0.30 | 9.0 | 30 | yes |
    """
    settings = record["settings"]
    side = settings["side"]
    lines = [
        f"PixelCNN, {side}×{side} pixels of {settings['levels']} levels, {settings['blocks']} "
        f"blocks of {settings['channels']} channels, {settings['threads']} thread(s). Naive "
        "sampling runs the whole net for each pixel; both are given the same uniforms. Medians of "
        "the cached times.\n",
        "| net | images at once | cached, s | naive, s | times as fast | identical pixels |",
        "|---|---|---|---|---|---|",
    ]
    for row in record["results"]:
        cached = statistics.median(row["cached_seconds"])
        same = "yes" if row["identical"] else "no"
        lines.append(
            f"| {row['network']} | {row['batch']} | {cached:.2f} | {row['naive_seconds']:.1f} "
            f"| {row['times_faster']:.0f} | {same} |"
        )
    return "\n".join(lines)


def mnist_table(records: list[Record]) -> str:
    """Nats of binarised test images, and how they came down."""
    names = {
        "pixelcnn": "PixelCNN, gated",
        "masked": "PixelCNN, masked",
        "rowlstm": "PixelRNN, rows",
        "bilstm": "PixelRNN, diagonal",
    }
    lines = [
        "Dynamically binarised MNIST, test images binarised once (seed 0); nats an image of all "
        "test images, after the last epoch, with the standard error over images. 14×14 images are "
        "means of 2×2 pixels. On the way only the first 1,000 test images are looked at, which are "
        f"easier. SHA-256 of the file: {records[0]['mnist_sha256'][:12]}….\n",
        "| pixels | model | parameters | epochs | training, min (threads) | nats | bits a pixel | "
        "on the way | raw figures |",
        "|---|---|---|---|---|---|---|---|---|",
    ]

    def order(record: Record) -> tuple[int, float]:
        return (-record["settings"]["shape"][1], record["results"]["nats"])

    for record in sorted(records, key=order):
        result, curve = record["results"], record["curve"]
        side = record["settings"]["shape"][1]
        minutes = record["seconds"]["training"] / 60
        some = [curve[len(curve) * share // 4] for share in (0, 1, 2, 3)]
        way = ", ".join(f"{at['test_nats']:.1f} ({at['seconds'] / 60:.0f} min)" for at in some)
        lines.append(
            f"| {side}×{side} | {names[record['model']]} | {record['parameters']:,} | "
            f"{record['epochs']} | {minutes:.0f} ({record['threads']}) | {result['nats']:.2f} ± "
            f"{result['standard_error']:.2f} | {result['bits_per_dimension']:.4f} | {way} | "
            f"[file]({record['file']}) |"
        )
    return "\n".join(lines)


def digits_table(record: Record) -> str:
    """Nats of small digits by each architecture."""
    settings = record["settings"]
    lines = [
        f"8×8 digits, pixels as bits; {settings['seeds']} seeds, {settings['epochs']} epochs, the "
        "weights that are best on images held out; nats an image, means over seeds with their "
        "standard errors.\n",
        "| model | parameters | nats | each seed | s |",
        "|---|---|---|---|---|",
    ]
    for row in record["results"]:
        each = ", ".join(f"{nats:.2f}" for nats in row["nats"])
        lines.append(
            f"| {row['model']} | {row['parameters']:,} | {row['mean']:.3f} ± "
            f"{row['standard_error']:.3f} | {each} | {row['seconds']:.0f} |"
        )
    return "\n".join(lines)


def frames_table(record: Record) -> str:
    """Bits of a pixel of frames, by the model and without one."""
    settings, frames, result = record["settings"], record["frames"], record["results"]
    alone = result["independent"]
    lines = [
        f"{record['environment']}, grey pictures of {settings['side']}×{settings['side']} pixels, "
        f"every {settings['every']}th step: {frames['train']:,} to learn from, "
        f"{frames['held_out']:,} of other episodes held out, {frames['random']:,} of a policy with "
        f"random actions. {record['parameters']:,} parameters, {settings['epochs']} epochs, "
        f"{record['seconds'] / 60:.0f} min on {settings['threads']} thread(s). The area under the "
        "curve is the chance that a held-out picture is more probable than a random policy's.\n",
        "| bits a pixel | held out | learned from | random actions | area under the curve |",
        "|---|---|---|---|---|",
        f"| PixelCNN | {result['bits']:.3f} ± {result['standard_error']:.3f} | "
        f"{result['train_bits']:.3f} | {result['random_bits']:.3f} | {result['auroc']:.4f} |",
        f"| each pixel for itself | {alone['bits']:.3f} | – | {alone['random_bits']:.3f} | "
        f"{alone['auroc']:.4f} |",
    ]
    return "\n".join(lines)
