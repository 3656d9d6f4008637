"""Pictures of what a model of sequences makes of data: codes and forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure

from gail.drawing import trajectories
from gail.latent_pictures import ROWS, scatter

if TYPE_CHECKING:
    from generative import Batch
    from generative.sequence_vae import SequenceVAE

FORECASTS = 3


def sequence_pictures(model: SequenceVAE, data: Batch) -> dict[str, Figure]:
    """A scatter of the codes; and some of the longest windows, with forecasts of second halves.

    Args:
        model: fitted.
        data: windows (B, T, D), on the model's device.

    Returns:
        Figures by name.
    """
    x, lengths = data.x[:ROWS], None if data.lengths is None else data.lengths[:ROWS]
    figures = {"latents": scatter(model.encode(x, lengths=lengths).mean)}
    steps = x.shape[1] if lengths is None else int(lengths.max())
    if steps > 1:
        longest = x if lengths is None else x[lengths == steps]
        figures["forecasts"] = forecasts(model, longest[:FORECASTS, :steps])
    return figures


def forecasts(model: SequenceVAE, x: torch.Tensor) -> Figure:
    """Windows (B, T, D) and, over their second halves, what is forecast from the first."""
    half = x.shape[1] // 2
    future = model.predict(x[:, :half], x.shape[1] - half)
    nothing = torch.full_like(x[:, :half], torch.nan, dtype=future.dtype)
    drawn = torch.cat([nothing, future], 1)
    return trajectories(x.cpu().numpy(), drawn.cpu().numpy(), label="forecast")
