"""Two-sample tests by classifiers: how well can one learn to tell real rows from generated ones?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_FARTHEST = 10.0  # standard deviations; single outliers must not decide
_PENALTY = 1e-2  # of weights, on standardised values
_STEPS = 300  # of an MLP's training
_BATCH = 128


def two_sample_accuracy(
    real: Tensor,
    fake: Tensor,
    *,
    hidden: Sequence[int] = (),
    groups: Tensor | None = None,
    folds: int = 3,
    generator: torch.Generator | None = None,
) -> Tensor:
    """How often a classifier is right on rows that it was not trained on (Lopez-Paz & Oquab 2017).

    Cross-validated; real and fake rows count alike, however many there are. 0.5 is what equal
    distributions give, 1 means that each row can be told. Values are standardised; weights are
    penalised, as rows are often few.

    Args:
        real: rows (N, ...), flattened.
        fake: rows (M, ...).
        hidden: widths of the classifier's hidden layers; none is logistic regression.
        groups: (N,) which real rows belong together (overlapping windows of one episode, say):
            they are never on both sides of a split.
        folds: parts of the cross-validation.
        generator: of an MLP's first weights and batches.

    Returns:
        The mean of the shares of real and of fake rows that are recognised, for each fold
        (folds,).

    Raises:
        ValueError: if shapes do not fit or there are too few rows or groups.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, y = torch.randn(400, 5, generator=g), torch.randn(400, 5, generator=g)
    >>> two_sample_accuracy(x, y).mean(), two_sample_accuracy(x, y + 2).mean()
    (tensor(0.50...), tensor(0.98...))
    """
    groups = torch.arange(len(real)) if groups is None else groups.cpu()
    _check(real, fake, groups, folds)
    rows = torch.cat([real.flatten(1), fake.flatten(1)])
    label = torch.cat([rows.new_ones(len(real)), rows.new_zeros(len(fake))])
    _, which = torch.unique(groups, return_inverse=True)
    fold = torch.cat([which, torch.arange(len(fake))]).to(rows.device) % folds
    accuracies = []
    for held_out in range(folds):
        x, y = rows[fold != held_out], label[fold != held_out]
        mean, std = x.mean(0), x.std(0).clamp(min=1e-6)
        x = ((x - mean) / std).clamp(-_FARTHEST, _FARTHEST)
        net = _perceptron(x, y, hidden, generator) if hidden else _logistic(x, y)
        x = ((rows[fold == held_out] - mean) / std).clamp(-_FARTHEST, _FARTHEST)
        accuracies.append(_accuracy(net, x, label[fold == held_out]))
    return torch.stack(accuracies)


def _check(real: Tensor, fake: Tensor, groups: Tensor, folds: int) -> None:
    if real.shape[1:] != fake.shape[1:] or len(groups) != len(real):
        raise ValueError(
            f"A two-sample test was given rows {tuple(real.shape)} and {tuple(fake.shape)} and "
            f"{len(groups)} groups; expected rows of one shape and a group for each real one."
        )
    apart = len(torch.unique(groups))
    if not 2 <= folds <= min(apart, len(fake)):
        raise ValueError(
            f"A two-sample test was given folds={folds}; expected 2 to {min(apart, len(fake))}, "
            "the groups of real rows or the number of fake ones."
        )


def _weights(y: Tensor) -> Tensor:
    """Weights (B,) of sum 1, half of it for each label."""
    real = y.mean()
    return torch.where(y == 1, 0.5 / real, 0.5 / (1 - real)) / len(y)


def _logistic(x: Tensor, y: Tensor) -> nn.Module:
    """Logistic regression with an L2 penalty, to convergence."""
    net = nn.Linear(x.shape[1], 1, device=x.device, dtype=x.dtype)
    nn.init.zeros_(net.weight)
    nn.init.zeros_(net.bias)
    weights = _weights(y)
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        each = F.binary_cross_entropy_with_logits(net(x)[:, 0], y, reduction="none")
        loss = (weights * each).sum() + _PENALTY / 2 * net.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return net


def _perceptron(
    x: Tensor, y: Tensor, hidden: Sequence[int], generator: torch.Generator | None
) -> nn.Module:
    """A multilayer perceptron, by a fixed number of steps of AdamW."""
    layers: list[nn.Module] = []
    for a, b in pairwise([x.shape[1], *hidden, 1]):
        layer = nn.Linear(a, b, device=x.device, dtype=x.dtype)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    net = nn.Sequential(*layers[:-1])
    weights = _weights(y) * len(y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=_PENALTY)
    with torch.enable_grad():
        for _ in range(_STEPS):
            rows = torch.randint(len(x), (_BATCH,), generator=generator, device=x.device)
            loss = F.binary_cross_entropy_with_logits(net(x[rows])[:, 0], y[rows], weights[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return net


@torch.no_grad()
def _accuracy(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    right = ((net(x)[:, 0] > 0) == (y == 1)).to(x)
    accuracy: Tensor = (right[y == 1].mean() + right[y == 0].mean()) / 2
    return accuracy


def mean_discrepancy(x: Tensor, y: Tensor, width: float) -> Tensor:
    """Squared maximum mean discrepancy of two samples (Gretton et al. 2012, eq. 3), unbiased.

    0 in the mean if both have one distribution; it can be negative.

    Args:
        x: rows (N, ...), flattened.
        y: rows (M, ...).
        width: of the Gaussian kernel, in the units of the rows; around their distances.

    Raises:
        ValueError: if there are fewer than two rows of a kind, or their shapes differ.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, y = torch.randn(500, 2, generator=g), torch.randn(500, 2, generator=g)
    >>> mean_discrepancy(x, y, 1.0).abs() < 0.01, mean_discrepancy(x, y + 1, 1.0) > 0.1
    (tensor(True), tensor(True))
    """
    if x.shape[1:] != y.shape[1:] or min(len(x), len(y)) < 2:
        raise ValueError(
            f"A mean discrepancy was asked of rows {tuple(x.shape)} and {tuple(y.shape)}; expected "
            "two or more of each, of one shape."
        )
    x, y = x.flatten(1), y.flatten(1)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (-torch.cdist(a, b).square() / (2 * width**2)).exp()

    within = [(kernel(a, a).sum() - len(a)) / (len(a) * (len(a) - 1)) for a in (x, y)]
    total: Tensor = within[0] + within[1] - 2 * kernel(x, y).mean()
    return total
