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
