"""Windows cut out of episodes, for models of short sequences."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def cut_windows(episodes: Sequence[Tensor], steps: int, stride: int = 1) -> tuple[Tensor, Tensor]:
    """All windows of so many steps, and which episode each comes from.

    Args:
        episodes: of shapes (T_i, D), of any lengths from ``steps`` up.
        steps: T, of a window.
        stride: from the start of one window to that of the next.

    Returns:
        Windows (N, T, D), in the order of episodes and time, and the number of each one's
        episode (N,).

    Raises:
        ValueError: if there are no episodes, one is too short, or a number is below 1.

    >>> windows, episode = cut_windows([torch.arange(5.0)[:, None], torch.zeros(3, 1)], 3)
    >>> windows[..., 0].tolist()
    [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [0.0, 0.0, 0.0]]
    >>> episode.tolist()
    [0, 0, 0, 1]
    """
    if steps < 1 or stride < 1:
        raise ValueError(
            f"Windows were asked for with steps={steps} and stride={stride}; give 1 or more."
        )
    if not episodes:
        raise ValueError("There are no episodes to cut windows from.")
    for number, episode in enumerate(episodes):
        if episode.dim() != 2 or len(episode) < steps:
            raise ValueError(
                f"Episode {number} has the shape {tuple(episode.shape)}; expected (T, D) with "
                f"{steps} or more steps: leave it out, or cut shorter windows."
            )
    parts = [episode.unfold(0, steps, stride).transpose(1, 2) for episode in episodes]
    counts = torch.tensor([len(part) for part in parts])
    return torch.cat(parts), torch.arange(len(parts)).repeat_interleave(counts)


def hide_at_random(seen: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Masks of what is left to see once parts of windows are hidden, for learning to complete.

    In half of the windows everything from a random step on is hidden; in a quarter whole
    dimensions; in a quarter single values. How much is random too.

    Args:
        seen: (B, T, D), True where there is something to see.
        generator: source of the choices.

    Returns:
        (B, T, D), True nowhere but where ``seen`` is.
    """
    rows, steps, features = seen.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=seen.device)

    share = uniform(rows, 1, 1)
    past = torch.arange(steps, device=seen.device)[:, None] < 1 + share * (steps - 1)  # (B, T, 1)
    dimensions = uniform(rows, 1, features) < share
    values = uniform(rows, steps, features) < share
    kind = uniform(rows, 1, 1)
    left = torch.where(kind < 0.5, past, torch.where(kind < 0.75, dimensions, values))
    return seen & left
