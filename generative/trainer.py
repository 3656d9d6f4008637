"""The training loop of all families that learn by gradients."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from generative import continuation
from generative.batches import Batch
from generative.training import Display, DivergenceError, Moment, Monitor, Shuffled, Training

if TYPE_CHECKING:
    from generative.neural import NeuralModel

SECONDS_BETWEEN_CHECKPOINTS = 60.0
VALIDATION_SEED = 0  # the same noise after each epoch, so that losses can be compared

State = dict[str, Tensor]


class Trainer:
    """One training of one model: the loop and all its state.

    Each player has its own optimiser and its own random order of the data.

    Args:
        model: whose ``loss`` is minimised; its preprocessing is fitted.
        data: on the model's device.
        validation: likewise; None for none.
        training: the settings.
        generator: on the model's device; the source of all randomness.
    """

    def __init__(
        self,
        model: NeuralModel,
        data: Batch,
        validation: Batch | None,
        training: Training,
        generator: torch.Generator,
    ) -> None:
        self.model, self.data, self.validation = model, data, validation
        self.training, self.generator = training, generator
        self.players = model.players()
        self.optimizers = {
            name: torch.optim.AdamW(
                parameters,
                lr=training.learning_rate,
                weight_decay=training.weight_decay,
                fused=data.x.device.type in ("cpu", "cuda"),
                **model.adam(name),
            )
            for name, parameters in self.players.items()
        }
        rows = len(data.x)
        self.steps_per_epoch = math.ceil(rows / training.batch_size)
        self.orders = {
            name: Shuffled(rows, self.steps_per_epoch, data.x.device) for name in self.players
        }
        self.step = 0
        self.sums: State = {}  # of the metrics since the epoch began
        self.counts: dict[str, int] = {}
        self.best, self.best_weights, self.waited = math.inf, State(), 0
        self.keep_good()

    def run(self, monitor: Monitor) -> None:
        """Train from where it is to the end, or until its minutes are over.

        Raises:
            DivergenceError: if a loss is not finite; the weights are those before that epoch.
            FileError: if a checkpoint cannot be written.
        """
        written = time.monotonic()
        deadline = written + 60 * (self.training.minutes or math.inf)
        self.model.train()
        with Display(monitor, self.moment()) as display:
            while not self.done():
                self.take_step()
                display.move(self.step)
                whole = self.step % self.steps_per_epoch == 0
                if whole:
                    self.end_epoch(display)
                late = time.monotonic() > deadline
                due = time.monotonic() - written > SECONDS_BETWEEN_CHECKPOINTS
                if monitor.checkpoint is not None and (due or late):
                    continuation.write(monitor.checkpoint, self)
                    written = time.monotonic()
                if late and not whole:  # after the checkpoint, which goes on within the epoch
                    self.end_epoch(display)
                if late:
                    break
            else:
                if monitor.checkpoint is not None:
                    continuation.write(monitor.checkpoint, self)
        if self.best_weights:
            self.model.load_state_dict(self.best_weights)
        self.model.zero_grad()

    def done(self) -> bool:
        """Whether all epochs are over, or patience is."""
        patience = self.training.patience
        out_of_patience = patience is not None and self.waited >= patience
        return out_of_patience or self.step >= self.training.epochs * self.steps_per_epoch

    def moment(self) -> Moment:
        """Where training is."""
        steps = self.steps_per_epoch
        return Moment(self.step // steps, self.step, self.training.epochs, steps)

    @torch.enable_grad()
    def take_step(self) -> None:
        """Each player whose turn it is moves once, on a batch of its own."""
        moment = self.moment()
        rate = self.training.rate(moment)
        for player in self.model.turns(self.step):
            optimizer, parameters = self.optimizers[player], self.players[player]
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()  # before the loss, which can have the memory
            rows = self.data.at(self.orders[player].next(self.generator))
            batch = self.model.preprocessed(rows, self.generator)[0]
            losses = self.model.loss(batch, moment, self.generator, player)
            losses["loss"].backward(inputs=parameters)  # type: ignore[no-untyped-call]
            if self.training.max_grad_norm is not None:
                torch.nn.utils.clip_grad_norm_(parameters, self.training.max_grad_norm)
            optimizer.step()
            torch.clear_autocast_cache()  # which would show the nets their weights of before
            self.count(player, losses)
        self.model.after_step(moment)
        self.step += 1

    def count(self, player: str, losses: State) -> None:
        """Add to the sums of this epoch, without waiting for the device."""
        prefix = "" if len(self.players) == 1 else f"{player}/"
        for name, value in losses.items():
            key = prefix + name
            self.sums[key] = self.sums.get(key, 0.0) + value.detach()
            self.counts[key] = self.counts.get(key, 0) + 1

    def end_epoch(self, display: Display) -> None:
        """Look at what the epoch gave."""
        metrics = self.checked_means()
        self.sums, self.counts = {}, {}
        if self.validation is not None:
            metrics["validation_loss"] = self.validation_loss(self.validation)
            self.check(metrics)
        self.model.epochs_trained += 1
        self.keep_good()
        if self.training.patience is not None:
            self.remember_best(metrics["validation_loss"])
        display.show(math.ceil(self.step / self.steps_per_epoch), self.step, metrics)

    def keep_good(self) -> None:
        """Remember the present weights, to go back to."""
        state = self.model.state_dict()
        self.good = {name: value.detach().clone() for name, value in state.items()}

    def checked_means(self) -> dict[str, float]:
        """The mean metrics since the epoch began."""
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        self.check(means)
        return means

    def check(self, metrics: dict[str, float]) -> None:
        """Stop where a metric or a weight is not finite, with the weights of the epoch before."""
        wrong = [
            f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)
        ]
        wrong += [
            f"the weight {name} is not finite"
            for name, value in self.model.named_parameters()
            if not value.isfinite().all()
        ]
        if wrong:
            self.model.load_state_dict(self.good)
            epoch = math.ceil(self.step / self.steps_per_epoch)
            raise DivergenceError(
                f"Training {type(self.model).__name__} stopped in epoch {epoch}: {wrong[0]}; the "
                "weights before that epoch are back. Lower the learning rate, or set "
                "max_grad_norm."
            )

    @torch.no_grad()
    def validation_loss(self, data: Batch) -> float:
        """Mean loss of the first player over rows it does not learn from.

        With the noise of every other epoch and as of the last step, so that neither luck nor a
        warm-up favours an epoch.
        """
        self.model.eval()
        player = next(iter(self.players))
        last = self.training.epochs * self.steps_per_epoch - 1
        moment = replace(self.moment(), epoch=self.training.epochs - 1, step=last)
        generator = torch.Generator(data.x.device).manual_seed(VALIDATION_SEED)
        total = torch.zeros((), dtype=torch.float64)
        for start in range(0, len(data.x), self.training.batch_size):
            rows = data.at(slice(start, start + self.training.batch_size))
            batch = self.model.preprocessed(rows, generator)[0]
            loss = self.model.loss(batch, moment, generator, player)["loss"]
            total += loss.cpu() * len(batch.x)
        self.model.train()
        return float(total / len(data.x))

    def remember_best(self, loss: float) -> None:
        """Keep the weights if they are the best so far."""
        if loss < self.best:
            self.best, self.best_weights, self.waited = loss, self.good, 0
        else:
            self.waited += 1
