"""Random streams of environments: seeded as Gymnasium does, saved as tensors."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium.utils.seeding import np_random
from numpy.random import PCG64, Generator
from torch import Tensor

from envs.checks import check_seed

_WORD = 2**64


def generators(seed: int, count: int) -> list[Generator]:
    """One generator per environment; number i is the one ``Env.reset(seed=seed + i)`` makes.

    Raises:
        ValueError: the seed is negative.
    """
    check_seed(seed)
    return [np_random(seed + i)[0] for i in range(count)]


def pack(randoms: list[Generator]) -> Tensor:
    """The states of PCG64 generators as signed 64-bit words, (N, 6).

    >>> import numpy as np
    >>> (twin,) = unpack(pack([Generator(PCG64(7))]))
    >>> bool(twin.random() == Generator(PCG64(7)).random())
    True
    """
    return torch.tensor([_words(random) for random in randoms])


def unpack(words: Tensor) -> list[Generator]:
    """The generators that :func:`pack` described."""
    return [_generator([word % _WORD for word in row]) for row in words.tolist()]


def _words(random: Generator) -> list[int]:
    state: dict[str, Any] = dict(random.bit_generator.state)
    words = []
    for number in (state["state"]["state"], state["state"]["inc"]):
        words += [number // _WORD, number % _WORD]
    words += [state["has_uint32"], state["uinteger"]]
    return [word - _WORD if word >= _WORD // 2 else word for word in words]


def _generator(words: list[int]) -> Generator:
    bits = PCG64()
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": words[0] * _WORD + words[1], "inc": words[2] * _WORD + words[3]},
        "has_uint32": words[4],
        "uinteger": words[5],
    }
    return Generator(bits)
