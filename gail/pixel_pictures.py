"""Pictures of what models make of beginnings: completed images, continued windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure

from gail.drawing import image_grid, trajectories

if TYPE_CHECKING:
    from torch import Tensor

COLUMNS = 10
COMPLETIONS = 3
WINDOWS = 3

Impute = Callable[["Tensor", "Tensor"], "Tensor"]


def completed(impute: Impute, x: Tensor) -> Figure:
    """Images (B, C, H, W), their upper halves, and these completed a few times."""
    some = x[:COLUMNS].float()
    mask = torch.zeros_like(some, dtype=torch.bool)
    mask[:, :, : (some.shape[2] + 1) // 2] = True
    lines = [some, torch.where(mask, some, x.min())]
    lines += [impute(some, mask) for _ in range(COMPLETIONS)]
    limits = float(x.min()), float(x.max())
    sheet = torch.cat(lines).cpu().numpy()
    return image_grid(sheet, "data, upper halves, completed", len(some), limits)


def continued(impute: Impute, x: Tensor) -> Figure:
    """Windows (B, T, D) and, over their second halves, one way to go on from the first."""
    some = x[:WINDOWS].float()
    mask = torch.zeros_like(some, dtype=torch.bool)
    mask[:, : (some.shape[1] + 1) // 2] = True
    drawn = torch.where(mask, torch.nan, impute(some, mask))
    return trajectories(some.cpu().numpy(), drawn.cpu().numpy(), label="drawn")
