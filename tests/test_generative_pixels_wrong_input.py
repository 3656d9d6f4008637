"""What PixelCNN and PixelRNN refuse, in one sentence, before anything happens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from generative.discretised import DiscretisedLogistic
from generative.gated_stacks import Gated
from generative.masked_blocks import Masked
from generative.pixel_models import PixelCNN, PixelRNN
from generative.pixel_recurrences import DiagonalBiLSTM, RowLSTM
from generative.quantise import Quantise
from generative.training import Training

ONCE = Training(epochs=1)


def bits(n: int = 8) -> Tensor:
    return (torch.rand(n, 1, 3, 4, generator=torch.Generator().manual_seed(0)) < 0.5).float()


def model() -> PixelCNN:
    return PixelCNN((1, 3, 4), network=Gated(4, 1)).fit(bits(), training=ONCE)


def mask(*hidden: tuple[int, int]) -> Tensor:
    seen = torch.ones(8, 1, 3, 4, dtype=torch.bool)
    for line, column in hidden:
        seen[5, 0, line, column] = False
    return seen


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: PixelCNN((3, 8, 8), network=Gated(64)), "3 colours or features; .* are 63"),
        (lambda: PixelRNN((3, 8, 8), network=RowLSTM(5)), "channels=5, .* are 6"),
        (lambda: PixelCNN((9, 2), network=Masked(1)), "channels=1, .* are 2"),
        (lambda: Gated(kernel=4), "a kernel of 4, .* nearest that do are 3 or 5"),
        (lambda: DiagonalBiLSTM(first=0), "a kernel of 0, .* 1 or 3"),
        (lambda: Gated(blocks=0), "blocks=0; it must be positive"),
        (lambda: RowLSTM(channels=-1), "channels=-1"),
        (lambda: PixelCNN((64,)), r"shape=\(64,\) .* expected \(C, H, W\) or \(T, D\)"),
        (lambda: PixelRNN((9, 2)), r"expected \(C, H, W\), each"),
        (lambda: PixelCNN((1, 3, 0)), "each 1 or more"),
        (lambda: PixelCNN((1, 3, 3), context=-1), "context of 0 or more"),
        (lambda: PixelCNN((1, 3, 3), 1), "levels=1; expected 2"),
        (lambda: PixelCNN((1, 3, 3), network=RowLSTM()), "RowLSTM; expected Gated or Masked"),
        (lambda: DiscretisedLogistic(256, 0), "components=0"),
        (lambda: Quantise(1), "levels=1; expected 2"),
        (lambda: Quantise().fit(torch.tensor([[1.0, 2.0], [2.0, 2.0]])), "Column 1 never varies"),
    ],
)
def test_sizes_that_cannot_be(make: Callable[[], object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (bits() * 255, "2 levels was given values from 0 to 255; expected whole numbers from 0"),
        (bits() - 1, "from -1 to 0"),
        (bits() / 2, "expected whole numbers"),
        (bits().mT, r"shape \(1, 4, 3\) after preprocessing and this PixelCNN was made for"),
        (bits()[:, 0], r"shape \(3, 4\)"),
        (bits() * torch.nan, "is nan at row 0, channel 0, line 0, column 0"),
    ],
)
def test_data_that_do_not_fit(x: Tensor, told: str) -> None:
    unfitted = PixelCNN((1, 3, 4), network=Gated(4, 1))
    before = [each.clone() for each in unfitted.parameters()]
    with pytest.raises(ValueError, match=told):
        unfitted.fit(x, training=ONCE)
    pairs = zip(before, unfitted.parameters(), strict=True)
    assert all(torch.equal(old, new) for old, new in pairs)
    assert not unfitted.fitted


def test_sequences_of_several_lengths() -> None:
    unfitted = PixelCNN((4, 3), network=Gated(6, 1))
    with pytest.raises(ValueError, match="sequences of 2 steps among those of 4; cut windows"):
        unfitted.fit(bits()[:, 0].mT, lengths=[4, 4, 4, 2, 4, 4, 4, 4], training=ONCE)


def test_masks_that_are_no_beginning() -> None:
    with pytest.raises(ValueError, match="row 5 shows line 1, column 3, channel 0, behind"):
        model().impute(bits(), mask((1, 2)))
    with pytest.raises(ValueError, match="row 5 shows line 2, column 0"):
        model().impute(bits(), mask((1, 2), (1, 3)))
    with pytest.raises(ValueError, match="expected booleans"):
        model().impute(bits(), mask().float())
    with pytest.raises(ValueError, match="Row 5 has no observed value"):
        model().impute(bits(), mask(*((line, column) for line in range(3) for column in range(4))))
    end = mask((2, 3))
    assert torch.equal(model().impute(bits(), end)[end], bits()[end])

    windows = PixelCNN((4, 3), network=Gated(6, 1)).fit(bits()[:, 0].mT, training=ONCE)
    with pytest.raises(ValueError, match="row 5 shows step 1, channel 2"):
        windows.impute(bits()[:, 0].mT, mask((1, 1))[:, 0].mT)


def test_calls_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="was not fitted"):
        PixelCNN((1, 3, 4), network=Gated(4, 1)).sample(1)
    with pytest.raises(ValueError, match="asked for 0 rows"):
        model().sample(0)
    with pytest.raises(ValueError, match="made for context=0"):
        model().sample(2, None, torch.ones(2, 1))
    with pytest.raises(ValueError, match="made for context=0"):
        model().log_prob(bits(), torch.ones(8, 1))
