"""Wrong input of generative models gets one sentence, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from generative import (
    ArchiveError,
    BayesClassifier,
    Chain,
    Dequantise,
    DropConstant,
    GaussianMixture,
    GenerativeModel,
    Logit,
    Mixture,
    Standardise,
    Transform,
    VariationalMixture,
    Whiten,
)
from generative.files import FileError

X = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(50) % 2
SEEN = torch.ones(50, 3, dtype=torch.bool)


def changed(x: Tensor, row: int, column: int, value: float) -> Tensor:
    x = x.clone()
    x[row, column] = value
    return x


def gmm(components: int = 2) -> GaussianMixture:
    return GaussianMixture(components)


def some_hidden(row: int) -> Tensor:
    mask = SEEN.clone()
    mask[row] = False
    return mask


def fitted() -> GaussianMixture:
    return gmm().fit(X)


class Sampler(GenerativeModel):
    """Draws zeros, and has no density."""

    fitted = True

    def settings(self) -> dict[str, Any]:
        return {}

    def sample(self, n: int, generator: torch.Generator | None = None) -> torch.Tensor:
        return torch.zeros(n, 1)


CASES: dict[str, tuple[Callable[[], object], str]] = {
    "nan": (lambda: gmm().fit(changed(X, 7, 2, np.nan)), "x is nan at row 7, column 2"),
    "inf": (lambda: gmm().fit(changed(X, 0, 1, np.inf)), "x is inf at row 0, column 1"),
    "nan in numpy": (lambda: gmm().fit(np.array([[1.0, np.nan]])), "row 0, column 1"),
    "words": (lambda: gmm().fit(np.array([["a", "b"]])), "expected real numbers"),
    "few rows": (lambda: gmm(51).fit(X), "50 rows were given for 51 components"),
    "few rows, variational": (lambda: VariationalMixture(51).fit(X), "50 rows .* 51 components"),
    "no rows": (lambda: gmm().fit(X[:0]), r"shape \(0, 3\)"),
    "images": (lambda: gmm().fit(X.reshape(50, 1, 3)), r"shape \(50, 1, 3\)"),
    "mask shape": (lambda: gmm().fit(X, mask=SEEN[:, :2]), r"mask has the shape \(50, 2\)"),
    "mask type": (lambda: gmm().fit(X, mask=SEEN.float()), "expected booleans"),
    "all missing": (lambda: gmm().fit(X, mask=some_hidden(4)), "Row 4 has no observed value"),
    "impute all missing": (lambda: fitted().impute(X, some_hidden(4)), "Row 4 has no observed"),
    "weights shape": (lambda: gmm().fit(X, weights=torch.ones(3)), r"shape \(3,\)"),
    "weights below 0": (lambda: gmm().fit(X, weights=-torch.ones(50)), "at least 0"),
    "weights of few": (lambda: gmm().fit(X, weights=torch.eye(50)[0]), "1 rows were given"),
    "not fitted": (lambda: gmm().log_prob(X), "GaussianMixture was not fitted"),
    "save unfitted": (lambda: gmm().save("never-written.zip"), "was not fitted"),
    "width": (lambda: fitted().log_prob(X[:, :2]), r"expected vectors in rows, \(B, 3\)"),
    "components": (lambda: gmm(0), "components=0; it must be positive"),
    "covariance": (lambda: GaussianMixture(1, "round"), "'round'; expected one of full"),  # type: ignore[arg-type]
    "prior": (lambda: VariationalMixture(3, "flat"), "'flat'; expected one of dirichlet"),  # type: ignore[arg-type]
    "regularisation": (lambda: GaussianMixture(regularisation=-1.0), "regularisation=-1"),
    "singular": (
        lambda: GaussianMixture(regularisation=0.0).fit(torch.ones(9, 2)),
        "singular covariance",
    ),
    "start": (lambda: gmm(3).fit(X, start=fitted()), r"start has full .* expected full and \(3, 3"),
    "parameters": (
        lambda: Mixture.of(torch.ones(2), torch.ones(2, 3), torch.ones(2, 3)),
        r"covariances \(2, 3\)",
    ),
    "nothing hidden": (lambda: fitted().condition(X[0], SEEN[0]), "hides nothing"),
    "mixed dimensions": (
        lambda: GaussianMixture(preprocessing=Whiten()).fit(X).impute(X, SEEN),
        "impute needs preprocessing that leaves dimensions apart",
    ),
    "constant": (lambda: Standardise().fit(torch.ones(4, 2)), "Column 0 never varies"),
    "all constant": (lambda: DropConstant().fit(torch.ones(4, 2)), "None of the 2 columns"),
    "levels": (lambda: Dequantise(4)(torch.tensor([[4.0]])), "whole numbers from 0 to 3"),
    "outside": (lambda: Logit()(torch.tensor([[1.5]])), r"expected them in \[0, 1\]"),
    "margin": (lambda: Logit(0.5), "between 0 and 1/2"),
    "no labels": (lambda: BayesClassifier(gmm(), 2).fit(X), "no labels"),
    "label range": (lambda: BayesClassifier(gmm(), 2).fit(X, Y + 1), "from 1 to 2; expected 0"),
    "label type": (lambda: BayesClassifier(gmm(), 2).fit(X, Y / 2), "whole numbers"),
    "empty class": (lambda: BayesClassifier(gmm(), 3).fit(X, Y), "Class 2 has no rows"),
    "small class": (
        lambda: BayesClassifier(gmm(), 2).fit(X, (torch.arange(50) == 3).long()),
        "Class 1 cannot be fitted to its 1 rows: 1 rows were given for 2",
    ),
    "classes that drop dimensions": (
        lambda: BayesClassifier(GaussianMixture(preprocessing=DropConstant()), 2).fit(
            torch.cat([X, Y[:, None]], 1), Y
        ),
        "model of class 0 keeps 3 of 4 dimensions",
    ),
    "no density": (lambda: BayesClassifier(Sampler(), 2), "no exact density"),  # type: ignore[arg-type]
    "nothing to fit": (lambda: Mixture(2).fit(X), "nothing to fit"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_sentence(case: str) -> None:
    act, says = CASES[case]
    with pytest.raises(ValueError, match=says) as caught:
        act()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "model", [gmm(), BayesClassifier(gmm(), 2), VariationalMixture(4)], ids=repr
)
def test_failed_fits_leave_a_model_as_it_was(model: GenerativeModel) -> None:
    def fit(x: Tensor) -> None:
        model.fit(x, Y) if isinstance(model, BayesClassifier) else model.fit(x)

    fit(X)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for bad in (changed(X, 1, 1, np.nan), torch.ones(50, 3) * X[:, :1], X[:1]):
        if bad.shape == X.shape and bad.isfinite().all():
            continue  # that is fine data
        with pytest.raises(ValueError, match="row"):
            fit(bad)
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    fitted().save(tmp_path / "gmm")
    BayesClassifier(gmm(), 2).fit(X, Y).save(tmp_path / "bayes")
    with pytest.raises(ArchiveError, match="holds a GaussianMixture and not a VariationalMixture"):
        VariationalMixture.load(tmp_path / "gmm")
    with pytest.raises(ArchiveError, match="classifier of GaussianMixture and not of Variational"):
        BayesClassifier.load(tmp_path / "bayes", family=VariationalMixture)
    with pytest.raises(ArchiveError, match="There is no file"):
        GaussianMixture.load(tmp_path / "nothing")


def test_another_version_is_refused(tmp_path: Path) -> None:
    from generative import archive

    fitted().save(tmp_path / "gmm")
    metadata, sections = archive.read(tmp_path / "gmm")
    archive.write(tmp_path / "new", metadata | {"format": 99}, sections)
    with pytest.raises(ArchiveError, match="file format 99 and this version reads 1"):
        GaussianMixture.load(tmp_path / "new")
    archive.write(tmp_path / "odd", metadata | {"settings": {"radius": 1}}, sections)
    with pytest.raises(ArchiveError, match="does not fit GaussianMixture"):
        GaussianMixture.load(tmp_path / "odd")
    archive.write(tmp_path / "bare", metadata, {"state": {}})
    with pytest.raises(ArchiveError, match="does not fit GaussianMixture"):
        GaussianMixture.load(tmp_path / "bare")


def test_every_damaged_byte_is_found_or_harmless(tmp_path: Path) -> None:
    model = gmm(1).fit(X)
    model.save(tmp_path / "gmm")
    whole = (tmp_path / "gmm").read_bytes()
    for place in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[place] ^= 4
        (tmp_path / "broken").write_bytes(broken)
        try:
            loaded = GaussianMixture.load(tmp_path / "broken")
        except ArchiveError:
            continue
        assert torch.equal(loaded.means, model.means)
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArchiveError, match="damaged"):
        GaussianMixture.load(tmp_path / "half")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "gmm"
    fitted().save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not fitted"):
        gmm().save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["gmm"]
    with pytest.raises(FileError, match="cannot be written"):
        fitted().save(path / "below-a-file")


@pytest.mark.parametrize(
    "transform",
    [
        Standardise(),
        DropConstant(),
        Whiten(),
        Logit(),
        Transform(),
        Chain(DropConstant(), Whiten()),
    ],
    ids=repr,
)
def test_log_determinants_are_those_of_the_jacobian(transform: Transform) -> None:
    x = torch.rand(6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    transform.fit(x)
    y, log_det = transform(x)
    jacobian = torch.autograd.functional.jacobian(lambda row: transform(row[None])[0][0], x[2])
    assert torch.allclose(torch.linalg.slogdet(jacobian).logabsdet, log_det[2])
    assert torch.allclose(transform.inverse(y), x, atol=1e-9)
