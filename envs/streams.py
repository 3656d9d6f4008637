"""Random numbers for thousands of environments at once, on their device.

Environment i has a stream of its own: its numbers follow from its seed and from how many it has
drawn, not from what the others do. They are hashes of counters, so drawing for some environments
costs one pass over tensors, nothing is kept but two integers each, and the host is not asked.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from envs.checks import check_seed

# SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", fig. 14)
# with its unsigned constants as signed 64-bit integers; products wrap around.
_STEP = 0x9E3779B97F4A7C15 - 2**64
_FIRST = 0xBF58476D1CE4E5B9 - 2**64
_SECOND = 0x94D049BB133111EB - 2**64
_BITS = 23  # of a float32's 24, so that the middle of each interval is a float32, too


class Streams:
    """N streams of random numbers.

    Args:
        num_envs: N.
        device: where numbers are made.
        seed: stream i is that of ``seed + i``.

    Raises:
        ValueError: a negative seed.

    >>> two, other = Streams(2, "cpu", seed=7), Streams(1, "cpu", seed=8)
    >>> bool(two.uniform(3)[1].equal(other.uniform(3)[0]))
    True
    """

    def __init__(self, num_envs: int, device: torch.device | str, seed: int) -> None:
        self.drawn = torch.zeros(num_envs, dtype=torch.int64, device=device)  # (N,)
        self.seeds = torch.zeros_like(self.drawn)  # (N,)
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start stream i anew, as that of ``seed + i``."""
        check_seed(seed)
        self.seeds = seed + torch.arange(len(self.seeds), device=self.seeds.device)
        self.drawn = torch.zeros_like(self.seeds)

    def uniform(self, width: int, where: Tensor | None = None) -> Tensor:
        """Numbers above 0 and below 1, (N, width).

        Args:
            width: numbers from each stream.
            where: the streams (N,) that move on; the others give what they will give again.
                By default all do.
        """
        counters = self.drawn[:, None] + torch.arange(1, width + 1, device=self.drawn.device)
        self.drawn = self.drawn + (width if where is None else where * width)
        return uniform(self.seeds[:, None], counters)


def uniform(seeds: Tensor, counters: Tensor) -> Tensor:
    """A number above 0 and below 1 for each pair of integers, float32.

    >>> x = uniform(torch.tensor(0), torch.arange(100_000))
    >>> bool((x.mean() - 0.5).abs() < 0.01 and (x.var() - 1 / 12).abs() < 0.01)
    True
    """
    bits = _mix(_mix(seeds * _STEP) + counters * _STEP)
    return (_shift(bits, 64 - _BITS) + 0.5).float() * 2.0**-_BITS


def normal(uniforms: Tensor) -> Tensor:
    """Standard normal numbers from uniform ones, by the inverse of their distribution."""
    return math.sqrt(2.0) * torch.erfinv(2.0 * uniforms - 1.0)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _FIRST
    x = (x ^ _shift(x, 27)) * _SECOND
    return x ^ _shift(x, 31)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Shift right, with zeros from the left."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
