"""Completing rows with a latent variable model: Metropolis within Gibbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from generative.batches import Batch

if TYPE_CHECKING:
    from generative.vae import VAE


@dataclass
class State:
    """One chain for each row.

    Attributes:
        x: rows (B, *shape), what is hidden filled in.
        z: codes (1, B, Z).
        outputs: of the decoder for z (1, B, *shape, outputs).
    """

    x: Tensor
    z: Tensor
    outputs: Tensor


def complete(
    model: VAE, batch: Batch, seen: Tensor, steps: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Draw what is hidden from p(hidden | observed), in chains that converge to it.

    In turns z is renewed given x, and the hidden part of x given z. Proposals of z come from
    q(z | x); since q is only close to p(z | x), taking each of them (the pseudo-Gibbs sampling of
    Rezende et al. 2014, appendix F) converges to something else. So they are accepted with the
    probability of Metropolis and Hastings, which makes p(hidden | observed) the limit whatever q
    is (Mattei & Frellsen 2018, algorithm 1). The first half of the steps, which brings the chain
    to where data are, takes every proposal.

    Args:
        model: whose distribution it is.
        batch: rows after preprocessing, hidden values anything finite.
        seen: (B, *shape), True where a value is observed.
        steps: of the chain; half of them count.
        generator: source of all draws.

    Returns:
        Rows with the mean of what is hidden over the second half, and with its last draw.
    """
    state = _start(model, batch, seen, generator)
    total = torch.zeros_like(batch.x)
    kept = steps - steps // 2
    for step in range(steps):
        settled = step >= steps // 2
        _renew_code(model, batch._replace(x=state.x), state, settled, generator)
        if settled:
            total += model.likelihood.mean(state.outputs)[0] / kept
        state.x = _fill(model, batch.x, seen, state, generator)
    return torch.where(seen, batch.x, total), state.x


def _start(model: VAE, batch: Batch, seen: Tensor, generator: torch.Generator | None) -> State:
    """What is hidden drawn from the model as if nothing was known."""
    z = model.latent.sample_prior(len(batch.x), batch.x, generator)[None]
    state = State(batch.x, z, model.outputs(z, batch.context))
    state.x = _fill(model, batch.x, seen, state, generator)
    return state


def _renew_code(
    model: VAE, batch: Batch, state: State, choosy: bool, generator: torch.Generator | None
) -> None:
    """Propose a z from q(z | x), and take it or, if ``choosy``, perhaps stay."""
    posterior = model.posterior(batch)
    z, log_q = posterior.sample(1, generator)
    outputs = model.outputs(z, batch.context)
    if not choosy:
        state.z, state.outputs = z, outputs
        return
    new = _log_joint(model, batch.x, z, outputs) - log_q
    old = _log_joint(model, batch.x, state.z, state.outputs) - posterior.log_prob(state.z)
    chance = torch.rand(new.shape, generator=generator, dtype=new.dtype, device=new.device)
    taken = chance.log() < new - old  # (1, B)
    state.z = torch.where(taken[..., None], z, state.z)
    wide = taken.reshape(*taken.shape, *[1] * (outputs.dim() - 2))
    state.outputs = torch.where(wide, outputs, state.outputs)


def _log_joint(model: VAE, x: Tensor, z: Tensor, outputs: Tensor) -> Tensor:
    """log p(x, z) (1, B)."""
    return model.likelihood.log_prob(outputs, x).flatten(2).sum(-1) + model.latent.log_prior(z)


def _fill(
    model: VAE, x: Tensor, seen: Tensor, state: State, generator: torch.Generator | None
) -> Tensor:
    """Observed values, and draws from p(x | z) for the others."""
    return torch.where(seen, x, model.likelihood.draw(state.outputs[0], generator))
