"""PixelCNN and PixelRNN."""

from __future__ import annotations

from generative.gated_stacks import Gated
from generative.masked_blocks import Masked
from generative.pixel_recurrences import DiagonalBiLSTM, RowLSTM
from generative.raster_model import RasterModel


class PixelCNN(RasterModel):
    """Images, or windows of sequences, value by value, by convolutions (van den Oord et al. 2016).

    Data are whole numbers 0 to levels - 1 behind the preprocessing. ``log_prob`` is exact, and
    ``impute`` completes what follows an observed beginning. Windows (T, D) are seen as one line
    with D colours; ``Quantise`` makes levels of their values.

    Args:
        shape: of one row: (C, H, W), or (T, D) for windows.
        levels: how many, with any probabilities; or a likelihood such as
            ``DiscretisedLogistic(256)``, for many levels that have an order.
        network: ``Gated()`` if not given, or ``Masked()``.
        context: C, the width of what the model is conditioned on; 0 for nothing.
        preprocessing: fitted to the data of the first ``fit``.

    Raises:
        ValueError: if a setting is out of range or the network cannot be made for such rows.

    >>> import torch
    >>> from generative.training import Training
    >>> g = torch.Generator().manual_seed(0)
    >>> x = (torch.rand(64, 1, 4, 5, generator=g) < 0.3).float()
    >>> model = PixelCNN((1, 4, 5), 2, network=Gated(channels=4, blocks=2))
    >>> model = model.fit(x, training=Training(epochs=2), generator=g)
    >>> model.sample(3, g).shape, model.log_prob(x[:5]).shape
    (torch.Size([3, 1, 4, 5]), torch.Size([5]))
    >>> upper = torch.arange(4)[:, None].expand(5, 1, 4, 5) < 2
    >>> torch.equal(model.impute(x[:5], upper, generator=g)[:, :, :2], x[:5, :, :2])
    True
    """

    networks = (Gated, Masked)
    dimensions = (2, 3)


class PixelRNN(RasterModel):
    """Images, pixel by pixel, by LSTMs (van den Oord et al. 2016a).

    All else is as for :class:`PixelCNN`. LSTMs see further with fewer parameters, and take longer:
    they go through an image line by line, or diagonal by diagonal.

    Args:
        shape: of one row, (C, H, W).
        levels: how many, with any probabilities; or a likelihood such as
            ``DiscretisedLogistic(256)``, for many levels that have an order.
        network: ``RowLSTM()`` if not given, or ``DiagonalBiLSTM()``.
        context: C, the width of what the model is conditioned on; 0 for nothing.
        preprocessing: fitted to the data of the first ``fit``.

    Raises:
        ValueError: if a setting is out of range or the network cannot be made for such rows.

    >>> import torch
    >>> model = PixelRNN((3, 4, 5), 4, network=DiagonalBiLSTM(channels=6, blocks=1))
    >>> model.net(torch.zeros(2, 3, 4, 5)).shape
    torch.Size([2, 3, 4, 5, 4])
    """

    networks = (RowLSTM, DiagonalBiLSTM)
