"""Files from which a training goes on exactly where it was."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from generative import archive
from generative.archive import ArchiveError

if TYPE_CHECKING:
    from generative.trainer import Trainer

FORMAT = 1

Sections = dict[str, dict[str, Tensor]]


def write(path: Path, trainer: Trainer) -> None:
    """Write all state of a training, whole or not at all, unless it would keep a failure.

    Raises:
        DivergenceError: if a loss or weight is not finite; an earlier file stays.
        FileError: if the file cannot be written.
    """
    trainer.checked_means()
    metadata = {
        "format": FORMAT,
        "training": identity(trainer),
        "step": trainer.step,
        "best": trainer.best if math.isfinite(trainer.best) else None,
        "waited": trainer.waited,
        "counts": trainer.counts,
        "positions": {name: order.position for name, order in trainer.orders.items()},
    }
    sections: Sections = {
        "weights": dict(trainer.model.state_dict()),
        "best": trainer.best_weights,
        "sums": trainer.sums,
        "orders": {name: order.order for name, order in trainer.orders.items()},
        "generator": {"state": trainer.generator.get_state()},
    }
    for name, optimizer in trainer.optimizers.items():
        sections[f"optimizer {name}"] = archive.optimizer_state(optimizer)
    archive.write(path, metadata, sections)


def restore(path: Path, trainer: Trainer) -> None:
    """Go on exactly where a file was written.

    Raises:
        ArchiveError: if it is damaged or of another training; the weights are as before then.
    """
    metadata, sections = archive.read(path)
    _check_identity(path, metadata, trainer)
    before = trainer.good
    try:
        _take_back(trainer, metadata, sections)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        trainer.model.load_state_dict(before)
        reason = " ".join(str(error).split())
        raise ArchiveError(
            f"{path} does not fit this version of {type(trainer.model).__name__} ({reason}); "
            "choose another path, or delete it to start anew."
        ) from error


def _take_back(trainer: Trainer, metadata: dict[str, Any], sections: Sections) -> None:
    """Undo :func:`write`."""
    device = trainer.data.x.device
    trainer.model.load_state_dict(sections["weights"])
    trainer.keep_good()
    for name, optimizer in trainer.optimizers.items():
        archive.restore_optimizer(optimizer, sections[f"optimizer {name}"])
        trainer.orders[name].order = sections["orders"][name].to(device)
        trainer.orders[name].position = metadata["positions"][name]
    trainer.sums = {name: value.to(device) for name, value in sections["sums"].items()}
    trainer.counts, trainer.step = metadata["counts"], metadata["step"]
    trainer.best = math.inf if metadata["best"] is None else metadata["best"]
    trainer.best_weights = {name: value.to(device) for name, value in sections["best"].items()}
    trainer.waited = metadata["waited"]
    trainer.generator.set_state(sections["generator"]["state"])


def identity(trainer: Trainer) -> dict[str, Any]:
    """What two trainings must share for one to continue the other, as JSON.

    The number of epochs only where the learning rate depends on it: otherwise a finished training
    goes on if more are asked for. Not the minutes, which do not change the way.
    """
    settings = asdict(trainer.training)
    del settings["minutes"]
    if trainer.training.schedule == "constant":
        del settings["epochs"]
    shared: dict[str, Any] = archive.as_json(
        {
            "model": type(trainer.model).__name__,
            "model setting": trainer.model.settings(),
            "training setting": settings,
            "data set": content_hash(*trainer.data, *(trainer.validation or ())),
        }
    )
    return shared


def _check_identity(path: Path, metadata: dict[str, Any], trainer: Trainer) -> None:
    """Refuse a file of another training."""
    theirs = metadata.get("training")
    if metadata.get("format") != FORMAT or not isinstance(theirs, dict):
        raise ArchiveError(
            f"{path} holds no training that this version could continue; choose another path."
        )
    for part, mine in identity(trainer).items():
        if theirs.get(part) != mine:
            there, here = difference(theirs.get(part), mine)
            raise ArchiveError(
                f"{path} belongs to a training with another {part} ({there}; here {here}); "
                "choose another path, or delete it to start anew."
            )


def difference(theirs: Any, mine: Any) -> tuple[str, str]:
    """What is different, told shortly.

    >>> difference({"width": 3, "depth": 2}, {"width": 4, "depth": 2})
    ('width 3', 'width 4')
    """
    if not (isinstance(theirs, dict) and isinstance(mine, dict)):
        return str(theirs), str(mine)
    names = [name for name in {**theirs, **mine} if theirs.get(name) != mine.get(name)]
    there, here = (", ".join(f"{n} {part.get(n)}" for n in names) for part in (theirs, mine))
    return there, here


def content_hash(*parts: Tensor | None) -> str:
    """A short hash of numbers, their shapes and types.

    >>> content_hash(torch.zeros(2), None) == content_hash(torch.zeros(2), None)
    True
    >>> content_hash(torch.zeros(2)) == content_hash(torch.zeros(2, 1))
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"none" if part is None else f"{part.dtype} {tuple(part.shape)}".encode())
        if part is not None:
            digest.update(part.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
