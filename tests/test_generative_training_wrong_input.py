"""What the trainer refuses, in a sentence and before it changes anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from toy_families import denoiser, rows, same, values

from generative import Chain, Monitor, Standardise, Training

SHORT = Training(epochs=1, batch_size=32)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"x": torch.full((5, 2), float("nan"))}, "x is nan at row 0, column 0"),
        ({"x": torch.zeros(5)}, r"\(5,\); expected vectors \(B, D\), sequences .* or images"),
        ({"x": torch.zeros(0, 2)}, r"\(0, 2\); expected vectors"),
        ({"x": torch.randn(9, 3)}, "x has 3 columns; expected 2"),
        ({"x": torch.ones(9, 2)}, "Column 0 never varies"),
        ({"x": rows(), "context": torch.ones(3, 1)}, r"context .* expected \(100, C\)"),
        ({"x": rows(), "lengths": torch.ones(100)}, "expected whole numbers"),
        ({"x": torch.randn(3, 4, 2), "lengths": [4, 5, 1]}, "lengths is 5 at row 1; expected 1 to"),
        ({"x": torch.full((1, 4, 2), torch.inf)}, "x is inf at row 0, step 0, column 0"),
        ({"x": torch.full((1, 1, 4, 2), torch.inf)}, "row 0, channel 0, line 0, column 0"),
        ({"x": rows(), "validation": 1.5}, "validation=1.5 of 100 rows leaves none"),
        ({"x": rows(), "validation": torch.randn(9, 3)}, r"\(9, 3\); expected vectors \(B, 2\)"),
        ({"x": rows(), "training": Training(patience=2)}, "patience=2 needs validation data"),
        ({"x": rows(), "monitor": Monitor(checkpoint=Path("/dev/null/c"))}, "cannot be written"),
    ],
)
def test_wrong_input_leaves_the_model_as_it_was(arguments: dict[str, Any], says: str) -> None:
    model = denoiser(Chain(Standardise()))
    before = values(model)
    with pytest.raises(ValueError, match=says):
        model.fit(**arguments)
    assert same(values(model), before)
    assert not model.fitted


@pytest.mark.parametrize("shape", [(9, 3), (9, 4, 2), (9, 1, 1, 2)])
def test_a_fitted_model_knows_the_shape_of_its_rows(shape: tuple[int, ...]) -> None:
    model = denoiser(Standardise()).fit(rows(), training=SHORT)
    before = values(model)
    with pytest.raises(ValueError, match=r"expected vectors \(B, 2\)"):
        model.fit(torch.randn(shape))
    assert same(values(model), before)


def test_sequences_may_have_any_length_once_fitted() -> None:
    model = denoiser().fit(torch.randn(9, 4, 2), training=SHORT)
    assert model.fit(torch.randn(9, 7, 2), training=SHORT).epochs_trained == 2
    with pytest.raises(ValueError, match=r"expected sequences \(B, T, 2\)"):
        model.fit(torch.randn(9, 7, 3))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": -1}, "batch_size=-1"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1"),
        ({"max_grad_norm": 0.0}, "max_grad_norm=0.0"),
        ({"patience": 0}, "patience=0"),
        ({"schedule": "linear"}, "'linear'; expected one of constant, cosine"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Training(**arguments)
