"""What the discriminator sees of an observation, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from experts import point_mass_demonstrations
from gymnasium import spaces
from torch import Tensor

from envs import TASKS
from envs.toy import ID
from gail import GAIL
from gail.discriminator import Discriminator, adversarial_loss, hidden_dimensions
from gail.errors import GailError
from gail.presets import CloningSettings, DiscriminatorSettings, PPOSettings, Settings

BOX = spaces.Box(-2.0, 2.0, (2,))
SMALL = DiscriminatorSettings(hidden=(16, 16), batch_size=16)
HIDDEN = torch.tensor([False, True, False, True, False])


def rows(count: int, shift: float) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(int(shift) + 7)
    state, action, after = (torch.randn(count, w, generator=generator) for w in (5, 2, 5))
    return state + shift, action, after + shift


@pytest.mark.parametrize("inputs", ["s", "sa", "ss", "sas"])
def test_hiding_dimensions_is_a_network_without_them(inputs: Any) -> None:
    settings = replace(SMALL, inputs=inputs, gradient_penalty=10.0, r1_penalty=1.0)
    whole, part = Discriminator(5, BOX, settings), Discriminator(3, BOX, settings)
    whole.hide(HIDDEN)
    tensors = whole.net.state_dict()
    tensors["0.weight"] = tensors["0.weight"][:, whole.seen.bool()]
    part.net.load_state_dict(tensors)
    for net, columns in ((whole, torch.ones(5, dtype=torch.bool)), (part, ~HIDDEN)):
        expert, policy = (
            (s[:, columns], a, n[:, columns]) for s, a, n in (rows(64, 1.0), rows(64, -1.0))
        )
        train(net, settings, net.features(*expert), net.features(*policy))
    state, action, after = rows(32, 0.0)
    without = part(state[:, ~HIDDEN], action, after[:, ~HIDDEN])
    torch.testing.assert_close(whole(state, action, after), without, atol=1e-4, rtol=1e-4)
    assert (whole.net[0].weight[:, ~whole.seen.bool()] == 0).all()


def train(
    net: Discriminator, settings: DiscriminatorSettings, expert: Tensor, policy: Tensor
) -> None:
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(30):
        # The penalty's random points lie between rows, so they do not depend on the width.
        loss, _ = adversarial_loss(net, expert, policy, settings, generator)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def test_a_spectrally_normalised_network_hides_too() -> None:
    net = Discriminator(5, BOX, replace(SMALL, spectral_norm=True))
    net.hide(HIDDEN)
    state, action, after = rows(8, 0.0)
    other = torch.where(HIDDEN, 9.0, state)
    assert torch.equal(net.eval()(state, action, after), net(other, action, after))


def test_parts_are_hidden_by_name() -> None:
    varies = torch.ones(348, dtype=torch.bool)
    settings = replace(SMALL, exclude=("cinert", "cfrc_ext"))
    hidden = hidden_dimensions(settings, "Humanoid-v5", varies)
    assert hidden.nonzero().flatten().tolist() == [*range(45, 175), *range(270, 348)]


def test_dimensions_that_demonstrations_never_vary_are_hidden_on_demand() -> None:
    varies = torch.tensor([True, False, True])
    assert not hidden_dimensions(SMALL, None, varies).any()
    assert torch.equal(
        hidden_dimensions(replace(SMALL, exclude_constant=True), None, varies), ~varies
    )


def test_the_clip_bounds_what_is_seen() -> None:
    net = Discriminator(3, BOX, replace(SMALL, inputs="s", clip=2.0))
    net.normaliser.update(torch.randn(100, 3))
    assert net.features(torch.full((1, 3), 1e9), torch.zeros(1, 2), torch.zeros(1, 3)).max() == 2


@pytest.mark.parametrize(
    ("settings", "env_id", "told"),
    [
        (replace(SMALL, exclude=("forces",)), "Ant-v5", "Ant-v5 has qpos, qvel, cfrc_ext"),
        (replace(SMALL, exclude=("qpos",)), ID, "names no parts"),
        (replace(SMALL, exclude=tuple(TASKS["Ant-v5"].parts())), "Ant-v5", "see nothing"),
    ],
)
def test_wrong_names_are_told(settings: Any, env_id: str, told: str) -> None:
    with pytest.raises(GailError, match=told):
        hidden_dimensions(settings, env_id, torch.ones(105, dtype=torch.bool))


def test_a_saved_discriminator_judges_as_before(tmp_path: Any) -> None:
    demonstrations = point_mass_demonstrations()
    demonstrations.observations[:, 1] = 0.0  # never varies
    ppo = PPOSettings(num_envs=4, n_steps=8, batch_size=16)
    discriminator = replace(SMALL, exclude_constant=True)
    settings = Settings(ppo=ppo, discriminator=discriminator, cloning=CloningSettings(steps=1))
    model = GAIL("MlpPolicy", ID, demonstrations, settings, device="cpu").learn(64)
    assert model.discriminator.seen.tolist() == [1, 0, 1, 1, 1, 1]
    model.save(tmp_path / "model")
    loaded = GAIL.load(tmp_path / "model", device="cpu")
    columns = model.rollout_buffer.transitions()
    assert torch.equal(model.discriminator(*columns), loaded.discriminator(*columns))
