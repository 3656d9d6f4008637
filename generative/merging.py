"""Merge moves: pairs of components whose rows one Gaussian explains better."""

from __future__ import annotations

import torch
from torch import Tensor

from generative.allocation import Weights
from generative.data import wide
from generative.gaussians import Gaussians, chunks, log_joint
from generative.wishart import Prior, Sums


def pair_entropies(x: Tensor, weights: Tensor, scores: Gaussians) -> Tensor:
    """What the entropy of the assignments gains if two components become one (K, K).

    Never positive: to know less which of the two it was is to have less entropy.
    """
    k = len(scores.means)
    gains = torch.zeros(k, k, dtype=torch.float64, device=x.device)
    for part in chunks(x):
        shares = wide(log_joint(scores, x[part]).softmax(1))
        own = torch.special.entr(shares)
        for a in range(k - 1):
            rest = shares[:, a + 1 :]
            gain = torch.special.entr(shares[:, a, None] + rest) - own[:, a, None] - own[:, a + 1 :]
            gains[a, a + 1 :] += wide(weights[part]) @ gain
    return gains


def merge(sums: Sums, entropies: Tensor, prior: Prior, weights: Weights) -> Sums | None:
    """Merge all pairs, best first and each component once, that raise the bound.

    The bound of a mixture whose beliefs are the best for given assignments is a sum of evidences,
    so a merge is judged exactly, from sums alone (Hughes & Sudderth 2013, §3.2).

    Args:
        sums: of the components, largest first.
        entropies: from :func:`pair_entropies`, of the assignments that gave the sums.
        prior: of each component.
        weights: prior of the weights.

    Returns:
        The new sums, largest first, or nothing if no pair gains.
    """
    own = prior.evidence(sums)
    k = len(own)
    gains = entropies.clone()
    for a in range(k - 1):
        others = sums[a + 1 :]
        both = sums[torch.full((k - a - 1,), a, device=own.device)] + others
        gains[a, a + 1 :] += prior.evidence(both) - own[a] - own[a + 1 :]
    upper = torch.triu_indices(k, k, 1, device=own.device)
    order = gains[upper[0], upper[1]].argsort(descending=True)
    count, used = sums.count.clone(), torch.zeros(k, dtype=torch.bool)
    pairs: list[tuple[int, int]] = []
    for a, b in upper[:, order].T.tolist():
        if used[a] or used[b]:
            continue
        after = count.clone()
        after[a], after[b] = count[a] + count[b], 0.0
        change = weights.evidence(_largest_first(after)) - weights.evidence(_largest_first(count))
        if gains[a, b] + change > 0:
            pairs.append((a, b))
            used[a] = used[b] = True
            count = after
    return _joined(sums, pairs) if pairs else None


def _joined(sums: Sums, pairs: list[tuple[int, int]]) -> Sums:
    keep = torch.ones(len(sums.count), dtype=torch.bool, device=sums.count.device)
    count, first, second = sums.count.clone(), sums.first.clone(), sums.second.clone()
    for a, b in pairs:
        count[a] += count[b]
        first[a] += first[b]
        second[a] += second[b]
        keep[b] = False
    return ordered(Sums(count, first, second)[keep])


def ordered(sums: Sums) -> Sums:
    """The same, largest first."""
    return sums[sums.count.argsort(descending=True, stable=True)]


def _largest_first(count: Tensor) -> Tensor:
    return count.sort(descending=True).values
