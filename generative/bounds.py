"""Bounds on log-likelihoods from draws of latent variables, in chunks that fit into memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from generative.batches import Batch, chunks


def importance_bound(
    log_weights: Callable[[Batch, int], Tensor], batch: Batch, k: int, rows: int
) -> Tensor:
    """log of the mean of k importance weights p(x, z) / q(z | x), z from q (Burda et al. 2016).

    In expectation it lies between the evidence lower bound (k = 1) and log p(x), which it
    approaches as k grows.

    Args:
        log_weights: gives n log-weights (n, B) of rows.
        batch: B rows.
        k: draws a row.
        rows: how many pairs of row and draw are worked on at once.

    Returns:
        The bound (B,) in nats.

    Raises:
        ValueError: if k is below 1.

    >>> always = lambda batch, n: torch.full((n, len(batch.x)), -3.0)
    >>> importance_bound(always, Batch(torch.zeros(2, 1)), k=10, rows=4)
    tensor([-3., -3.])
    """
    if k < 1:
        raise ValueError(f"An importance-weighted bound was asked for with k={k}; give 1 or more.")
    draws = min(k, rows)
    bounds = []
    for part in chunks(batch, max(1, rows // draws)):
        total = batch.x.new_full((len(part.x),), -math.inf)
        for start in range(0, k, draws):
            weights = log_weights(part, min(draws, k - start))
            total = torch.logaddexp(total, weights.logsumexp(0))
        bounds.append(total - math.log(k))
    return torch.cat(bounds)


def activity(means: Tensor) -> Tensor:
    """How much each latent variable tells of the data: Var_x E[z | x] (Burda et al. 2016, §5.2).

    Args:
        means: of the posteriors of B rows (B, Z).

    Returns:
        (Z,); what the model leaves to the prior has 0. Above 0.01 counts as active.
    """
    return means.var(0, correction=0)
