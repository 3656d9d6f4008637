"""``gail generate``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import tyro
from tyro.conf import OmitArgPrefixes

from gail.cli.console import notify, results, table, wrong_input
from gail.cli.generate_families import FAMILIES, GMM
from gail.cli.generate_family import Family
from gail.cli.generate_folder import MODEL, remove_results, remove_training
from gail.cli.words import option
from gail.errors import DivergenceError, GailError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Generator

    from gail.movies import Picture
    from gail.tables import Array, Kind, Table
    from generative import Batch, GenerativeModel

FPS = 10.0  # of films
MODELS = "; ".join(f"{name}: {kind.__doc__}".rstrip(".") for name, kind in FAMILIES.items()) + "."


@dataclass(frozen=True)
class Generate:
    """Fit a generative model to data, sample from it and draw the samples.

    Writes model.zip, samples.npz, samples.png, result.json and, of some models, further pictures
    (codes, completions, maps) and a film of how samples come about (chains.gif). The result tells
    the mean log-density of a row, or a bound on it, in nats and in units of the data, for what the
    model was fitted to and for rows held out. The flags of a model are shown with --model NAME
    --help.
    """

    out: Path
    """The folder to write to."""
    overwrite: bool = False
    """Replace the model, samples, pictures and training of an earlier run in that folder."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME", help=MODELS)] = "gmm"
    data: str = "digits"
    """The word digits, or an .npy or .npz file of vectors, images or sequences."""
    key: str | None = None
    """The array in an .npz file; may be left out where it holds one (beside lengths)."""
    kind: Literal["auto", "vectors", "images", "sequences"] = "auto"
    """Auto: (N, D) vectors; (N, C, H, W) and bytes (N, H, W) images; other (N, T, D) sequences."""
    window: int | None = None
    """Cut sequences into so many steps; for models of vectors by default those of the shortest."""
    held_out: float = 0.1
    """Share of the rows that the model does not see and is scored on; 0 for none."""
    samples: int = 100
    """Rows drawn."""
    seed: int = 0
    """Of the split, the start and the samples."""
    device: str = "cpu"
    """Where everything is computed: cpu or cuda."""
    family: OmitArgPrefixes[Family] = field(default_factory=GMM)
    """Flags of the model."""

    @classmethod
    def defaults(cls, words: Sequence[str]) -> Self:
        """With the flags of the model that a command line names.

        Raises:
            GailError: if there is no such model.
        """
        name = option(words, "--model") or cls.model
        if name not in FAMILIES:
            raise GailError(f"--model is {name}; expected one of {', '.join(FAMILIES)}.")
        return cls(out=tyro.MISSING, model=name, family=FAMILIES[name]())

    def run(self) -> None:
        """Fit, sample, draw, write.

        Raises:
            GailError: wrong input, before anything is written.
            DivergenceError: training met non-finite values.
        """
        import torch

        import generative

        with wrong_input():
            self._check()
            source = self._load()
            torch.manual_seed(self.seed)  # of the first weights
            generator = torch.Generator(self.device).manual_seed(self.seed)
            fit_on, held_out = self._split(source, generator)
            model = self.family.build(fit_on).to(self.device)
            if self.overwrite:
                remove_training(self.out)
            try:
                self.family.fit(model, fit_on, generator, self.out)
            except generative.DivergenceError as error:
                raise DivergenceError(str(error)) from error
        drawn = self.family.sample(model, self.samples, generator).cpu().numpy()
        scores = {
            "rows": len(fit_on.x),
            "held_out_rows": len(held_out.x),
            **self.family.facts(model),
            **score(model, fit_on, held_out, generator),
        }
        self._write(model, source, drawn.reshape(len(drawn), *source.x.shape[1:]), scores)
        some = held_out if len(held_out.x) else fit_on
        shape = tuple(source.x.shape[1:])
        self._draw(self.family.pictures(model, some, generator, shape))
        self._film(self.family.films(model, some, generator, shape))
        results().print(table(f"{self.model} on {source.name}", shown(scores)))
        notify(f"Wrote {self.out}.")

    def _check(self) -> None:
        import torch

        self.family.check(self.out, self.overwrite)
        try:
            torch.zeros(1, device=self.device)
        except (RuntimeError, AssertionError) as error:  # builds without CUDA assert
            raise ValueError(
                f"--device is {self.device}, which PyTorch does not find here; expected cpu, or "
                "cuda where there is a GPU."
            ) from error
        if not 0 <= self.held_out < 1:
            raise ValueError(f"--held-out is {self.held_out}; expected at least 0 and below 1.")
        if self.samples < 1:
            raise ValueError(f"--samples is {self.samples}; expected at least 1.")

    def _load(self) -> Table:
        """The data, in windows where those are asked for or needed."""
        from gail.tables import load_table

        kind: Kind | None = None if self.kind == "auto" else self.kind
        source = load_table(self.data, self.key, kind)
        if source.kind != "sequences":
            if self.window is not None:
                raise ValueError(f"--window cuts sequences, and {source.name} holds {source.kind}.")
            return source
        needed = self.window is not None or "sequences" not in self.family.takes
        return source.windows(self.window) if needed else source

    def _split(self, source: Table, generator: Generator) -> tuple[Batch, Batch]:
        """Rows as the model takes them, to fit it to and to hold out."""
        import torch

        from generative import Batch

        given = source if source.kind in self.family.takes else source.flat()
        lengths = None if given.lengths is None else torch.as_tensor(given.lengths)
        data = Batch(torch.as_tensor(given.x).to(self.device), None, lengths)
        order = torch.randperm(len(data.x), generator=generator, device=self.device)
        held = int(self.held_out * len(data.x))
        return data.at(order[held:]), data.at(order[:held])

    def _write(
        self, model: GenerativeModel, source: Table, drawn: Array, scores: dict[str, Any]
    ) -> None:
        import numpy as np

        from gail import drawing
        from generative.files import replacing_file

        replaced = (self.out / MODEL).exists()  # else pictures that lie there are another's
        model.save(self.out / MODEL)
        if replaced:
            remove_results(self.out)
        with replacing_file(self.out / "samples.npz") as handle:
            np.savez(handle, samples=drawn)
        drawing.save(drawing.samples_of(source, drawn), self.out / "samples.png")
        flags = {name: value for name, value in asdict(self).items() if name != "family"}
        flags = {**flags, "out": str(self.out), **asdict(self.family)}
        with replacing_file(self.out / "result.json") as handle:
            handle.write((json.dumps({"flags": flags, **scores}, indent=2) + "\n").encode())

    def _draw(self, figures: dict[str, Figure]) -> None:
        from gail import drawing

        for name, figure in figures.items():
            drawing.save(figure, self.out / f"{name}.png")

    def _film(self, films: dict[str, Iterator[Picture]]) -> None:
        from gail import movies

        for name, pictures in films.items():
            movies.write(pictures, [self.out / f"{name}.gif"], FPS)


def score(
    model: GenerativeModel, fit_on: Batch, held_out: Batch, generator: Generator
) -> dict[str, float | None]:
    """Mean log-density of the rows, or bound on it, as far as the model has one."""
    import torch

    exact = hasattr(model, "log_prob")  # or as near as it was normalised

    def mean(rows: Batch) -> float | None:
        if not len(rows.x):
            return None
        if exact:
            with torch.no_grad():
                return float(model.log_prob(rows.x).double().mean())  # type: ignore[operator]
        given = {} if rows.lengths is None else {"lengths": rows.lengths}
        bound = model.elbo(rows.x, generator=generator, **given)  # type: ignore[operator]
        return float(bound.double().mean())

    if not exact and not hasattr(model, "elbo"):
        return {}
    name = "log_prob" if exact else "elbo"
    return {name: mean(fit_on), f"held_out_{name}": mean(held_out)}


def shown(scores: dict[str, Any]) -> dict[str, str]:
    """The figures as people read them.

    >>> shown({"held_out_rows": 90, "log_prob": -12.345})
    {'held out rows': '90', 'log prob': '-12.35 nats a row'}
    """
    told = {}
    for name, value in scores.items():
        text = "none" if value is None else f"{value:.2f} nats a row"
        told[name.replace("_", " ")] = str(value) if isinstance(value, int) else text
    return told
