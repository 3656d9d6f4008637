"""The folder that ``gail generate`` writes to: what it may hold before, and what is removed."""

from __future__ import annotations

import shutil
from pathlib import Path

from gail.errors import GailError

CHECKPOINT = "checkpoint.zip"
MODEL = "model.zip"
TRAINING = (CHECKPOINT, "training.gif", "tensorboard")  # made while a model is fitted
PICTURES = (
    *("samples", "latents", "reconstructions", "interpolations", "forecasts", "completed"),
    "energy",
)
RESULTS = (  # beside the model
    *("samples.npz", "result.json", "chains.gif"),
    *(f"{name}.png" for name in PICTURES),
)


def check_folder(out: Path, overwrite: bool, resume: bool | None = None) -> None:
    """Make sure, before long work, that results can be written and that nothing is lost by it.

    Args:
        out: the folder.
        overwrite: whether an earlier run in it may be replaced.
        resume: whether its training goes on; None of a model that has no --resume.

    Raises:
        GailError: it holds an earlier run and neither flag is given, or --resume has nothing to go
            on with.
        FileError: it cannot be written to.
    """
    from generative.files import require_writable

    require_writable(out / MODEL)
    checkpoint = out / CHECKPOINT
    if resume and overwrite:
        raise GailError("--resume goes on and --overwrite starts anew; leave out one of them.")
    if resume and not checkpoint.exists():
        raise GailError(f"There is no {checkpoint} to go on with; leave out --resume.")
    if resume or overwrite:
        return
    if resume is False and checkpoint.exists():
        raise GailError(
            f"{checkpoint} holds a training; go on with --resume, replace it with --overwrite, or "
            "choose another --out."
        )
    for name in (MODEL, CHECKPOINT):
        if (out / name).exists():
            raise GailError(
                f"{out / name} exists already; add --overwrite to replace that run, or choose "
                "another --out."
            )


def remove_training(out: Path) -> None:
    """Remove what fitting left of an earlier run; all else in the folder stays."""
    if (out / MODEL).exists() or (out / CHECKPOINT).exists():
        _remove(out, TRAINING)


def remove_results(out: Path) -> None:
    """Remove what an earlier run wrote beside its model; all else stays."""
    _remove(out, RESULTS)


def _remove(out: Path, names: tuple[str, ...]) -> None:
    for path in (out / name for name in names):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
