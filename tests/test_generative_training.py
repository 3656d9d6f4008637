"""Laws of the trainer that all families with nets share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from toy_families import Denoiser, Duel, denoiser, generator, rows, same, values

from generative import (
    Batch,
    Dequantise,
    DivergenceError,
    Moment,
    Monitor,
    Standardise,
    Training,
)

SHORT = Training(epochs=4, batch_size=32)


def test_fit_lowers_the_loss() -> None:
    losses: list[float] = []
    monitor = Monitor(report=lambda epoch, metrics: losses.append(metrics["loss"]))
    model = denoiser(Standardise()).fit(
        rows(), training=Training(epochs=60, learning_rate=0.01), monitor=monitor
    )
    assert len(losses) == 60
    assert losses[-1] < 0.7 * losses[0]
    assert model.fitted
    assert not model.training
    assert all(each.grad is None for each in model.parameters())


def test_the_same_generator_gives_the_same_weights() -> None:
    first, second = (denoiser().fit(rows(), training=SHORT, generator=generator()) for _ in "ab")
    third = denoiser().fit(rows(), training=SHORT, generator=generator(1))
    assert same(values(first), values(second))
    assert not same(values(first), values(third))


def test_it_trains_also_where_gradients_are_off() -> None:
    """As within a Bayes classifier, whose fit needs none itself."""
    with torch.no_grad():
        model = denoiser().fit(rows(), training=SHORT, generator=generator())
    assert same(
        values(model), values(denoiser().fit(rows(), training=SHORT, generator=generator()))
    )


def test_half_precision_sees_the_weights_of_the_moment() -> None:
    losses: list[float] = []
    monitor = Monitor(report=lambda epoch, metrics: losses.append(metrics["loss"]))
    with torch.autocast("cpu", torch.bfloat16):
        denoiser(Standardise()).fit(rows(), training=Training(60, 32, 0.01), monitor=monitor)
    assert losses[-1] < 0.7 * losses[0]


def test_each_epoch_is_all_rows_in_a_new_order_and_equal_batches() -> None:
    x, model = rows(100), denoiser()
    model.fit(x, training=replace(SHORT, epochs=2))
    sizes = [len(batch.x) for batch, _, _ in model.seen]
    assert sizes == [25] * 8
    epochs = [torch.cat([batch.x for batch, _, _ in model.seen[i : i + 4]]) for i in (0, 4)]
    for epoch in epochs:
        assert torch.equal(epoch.sort(0).values, x.sort(0).values)
    assert not torch.equal(*epochs)


def test_the_moment_goes_from_the_first_step_to_the_last() -> None:
    model = denoiser().fit(rows(), training=SHORT)
    moments = [moment for _, moment, _ in model.seen]
    assert [moment.step for moment in moments] == list(range(16))
    assert [moment.epoch for moment in moments] == [i // 4 for i in range(16)]
    assert (moments[0].fraction, moments[-1].fraction) == (0, 1)


def test_whole_numbers_are_cast_batch_by_batch_with_fresh_noise() -> None:
    x = torch.randint(0, 256, (64, 2), generator=generator(), dtype=torch.uint8)
    model = denoiser(Dequantise(256)).fit(x.numpy(), training=replace(SHORT, batch_size=64))
    first, second = (batch.x.sort(0).values for batch, _, _ in model.seen[:2])
    assert first.dtype == torch.float32
    assert not torch.equal(first, second)
    assert torch.equal((first * 256).floor(), (second * 256).floor())


def test_preprocessing_is_fitted_once() -> None:
    x = rows()
    model = denoiser(Standardise()).fit(x, training=SHORT)
    seen = torch.cat([batch.x for batch, _, _ in model.seen[:4]])
    assert torch.allclose(seen.mean(0), torch.zeros(2), atol=1e-5)
    mean = model.preprocessing.get_buffer("mean").clone()
    model.fit(x + 5, training=SHORT)
    assert torch.equal(model.preprocessing.get_buffer("mean"), mean)
    assert model.epochs_trained == 8


def test_cosine_ends_at_zero_and_clipping_bounds_the_gradient() -> None:
    training = replace(SHORT, schedule="cosine", max_grad_norm=1e-3)
    assert training.rate(Moment(0, 0, 4, 5)) == training.learning_rate
    assert training.rate(Moment(3, 19, 4, 5)) == pytest.approx(0)
    free, clipped = (denoiser().fit(rows(), training=t) for t in (SHORT, training))
    assert max(free.gradients, default=0) > 1e-3
    assert max(clipped.gradients) <= 1e-3 * (1 + 1e-5)


def test_weight_decay_shrinks_what_the_loss_leaves_alone() -> None:
    """AdamW without a gradient: each step multiplies by 1 - rate times decay."""
    training = Training(epochs=3, batch_size=100, learning_rate=0.1, weight_decay=0.5)

    class Idle(Denoiser):
        def loss(self, *arguments: Any, **named: Any) -> dict[str, Tensor]:
            return {"loss": sum(0.0 * each.sum() for each in self.parameters())}  # type: ignore[dict-item]

    model = Idle()
    before = values(model)["net.0.weight"]
    model.fit(rows(), training=training)
    assert torch.allclose(values(model)["net.0.weight"], before * 0.95**3)


# --- validation and early stopping ---


def losses_of(model: Denoiser, **arguments: Any) -> list[float]:
    found: list[float] = []
    monitor = Monitor(report=lambda epoch, metrics: found.append(metrics["validation_loss"]))
    model.fit(rows(), monitor=monitor, generator=generator(), **arguments)
    return found


def test_validation_noise_and_moment_are_those_of_every_epoch() -> None:
    model = denoiser()
    still = Training(epochs=3, learning_rate=1e-30)
    assert len(set(losses_of(model, validation=rows(30), training=still))) == 1
    validated = [(moment.fraction, batch.x) for batch, moment, mode in model.seen if not mode]
    assert [fraction for fraction, _ in validated] == [1.0] * 3
    assert torch.equal(validated[0][1], rows(30))


def test_a_share_is_held_out_and_always_the_same() -> None:
    model = denoiser()
    losses_of(model, validation=0.2, training=SHORT)
    trained = torch.cat([batch.x for batch, moment, mode in model.seen if mode][:3])
    held_out = [batch.x for batch, moment, mode in model.seen if not mode]
    assert torch.equal(torch.cat([trained, held_out[0]]).sort(0).values, rows().sort(0).values)
    assert len(held_out[0]) == 20
    other = denoiser().fit(rows(), validation=0.2, training=SHORT, generator=generator(9))
    assert torch.equal(next(batch.x for batch, _, mode in other.seen if not mode), held_out[0])


def test_early_stopping_keeps_the_best_weights() -> None:
    """Validated far from the data, the loss soon rises."""
    training = Training(epochs=50, learning_rate=0.05, patience=3)
    x, far = rows(), -rows(50)
    model, found = denoiser(), []
    weights: list[dict[str, Tensor]] = []

    def report(epoch: int, metrics: dict[str, float]) -> None:
        found.append(metrics["validation_loss"])
        weights.append(values(model))

    model.fit(x, validation=far, training=training, monitor=Monitor(report=report),
              generator=generator())  # fmt: skip
    best = found.index(min(found))
    assert len(found) == best + 4 < 50
    assert same(values(model), weights[best])
    assert not same(values(model), weights[-1])
    assert model.epochs_trained == best + 1


# --- several players ---


def test_each_player_moves_its_own_parameters_with_its_own_optimiser() -> None:
    model = Duel().fit(rows(), training=replace(SHORT, learning_rate=0.1), generator=generator())
    assert [player for player, *_ in model.moved[:4]] == ["critic", "critic", "generator", "critic"]
    for (player, made, judged), (_, made_after, judged_after) in zip(
        model.moved, model.moved[1:], strict=False
    ):
        assert torch.equal(made, made_after) == (player == "critic")
        assert torch.equal(judged, judged_after) == (player == "generator")


def test_a_moving_average_follows_each_step() -> None:
    model = Duel().fit(rows(), training=replace(SHORT, learning_rate=0.1), generator=generator())
    made = [made for player, made, _ in model.moved if player == "critic"][::2][1:]
    average = torch.zeros(2)
    for each in [*made, model.made.detach()]:
        average.lerp_(each, 0.1)
    assert torch.allclose(model.average, average)


def test_metrics_are_named_after_the_players() -> None:
    names: list[str] = []
    monitor = Monitor(report=lambda epoch, metrics: names.extend(metrics))
    Duel().fit(rows(), training=replace(SHORT, epochs=1), validation=0.1, monitor=monitor)
    assert sorted(names) == ["critic/loss", "generator/loss", "validation_loss"]


# --- sequences ---


def test_what_lies_beyond_the_lengths_is_not_looked_at() -> None:
    x, lengths = torch.randn(20, 5, 2, generator=generator()), torch.arange(20) % 5 + 1
    beyond = torch.arange(5) >= lengths[:, None]
    fits = []
    for junk in (0.0, 1e3, float("nan")):
        data = torch.where(beyond[..., None], junk, x)
        model = denoiser(Standardise())
        model.fit(data, lengths=lengths, training=SHORT, generator=generator())
        fits.append(values(model))
        batch = model.as_batch(data, lengths=lengths)
        y, log_det = model.preprocessed(batch)
        assert (y.x[beyond] == 0).all()
        std = model.preprocessing.get_buffer("std")
        assert torch.allclose(log_det, -lengths * std.log().sum(), atol=1e-5)
        assert torch.allclose(model.in_data_units(y.x)[~beyond], x[~beyond], atol=1e-5)
        assert torch.allclose(std, x[~beyond].std(0, unbiased=False))
    assert same(fits[0], fits[1])
    assert same(fits[0], fits[2])


def test_context_and_lengths_stay_with_their_rows() -> None:
    x = torch.arange(60.0).reshape(20, 3, 1).expand(20, 3, 2)
    context, lengths = x[:, 0, :1] * 2, (x[:, 0, 0] / 3 % 3 + 1).long()
    model = denoiser()
    model.fit(x, context=context, lengths=lengths, training=replace(SHORT, batch_size=6),
              validation=Batch(x, context, lengths))  # fmt: skip
    for batch, _, _ in model.seen:
        assert batch.context is not None
        assert batch.lengths is not None
        assert torch.equal(batch.context, batch.x[:, 0, :1] * 2)
        assert torch.equal(batch.lengths, (batch.x[:, 0, 0] / 3 % 3 + 1).long())


# --- divergence, and what is shown ---


class Failing(Denoiser):
    """Its loss, or with it a gradient, is not finite from the third epoch on."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        losses = super().loss(batch, moment, generator, player)
        if moment.epoch == 2:
            losses["loss"] = losses["loss"] * self.factor
        return losses


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_with_the_last_good_weights(
    factor: float, tmp_path: Path
) -> None:
    monitor = Monitor(checkpoint=tmp_path / "checkpoint.zip")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Failing(factor)
    with pytest.raises(DivergenceError, match=r"in epoch 3: loss is (nan|inf); the weights before"):
        model.fit(rows(), training=SHORT, generator=generator(), monitor=monitor)
    good = denoiser().fit(rows(), training=replace(SHORT, epochs=2), generator=generator())
    assert same(values(model), values(good))
    assert not model.training
    assert not any(tmp_path.iterdir())


def test_nothing_is_shown_or_written_unless_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    denoiser().fit(rows(), training=SHORT)
    assert capsys.readouterr() == ("", "")
    assert not any(tmp_path.iterdir())


def test_tensorboard_and_a_bar_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monitor = Monitor(progress=True, log_dir=tmp_path / "events")
    denoiser().fit(rows(), training=SHORT, validation=0.2, monitor=monitor)
    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert events.Tags()["scalars"] == ["loss", "rows", "validation_loss"]
    assert [each.step for each in events.Scalars("loss")] == [1, 2, 3, 4]
    told = capsys.readouterr()
    assert told.out == ""
    assert "100%" in told.err
