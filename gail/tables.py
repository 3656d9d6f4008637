"""Tables of numbers for generative models: known by name, or from a file."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gail.errors import GailError


@dataclass(frozen=True)
class Table:
    """Rows of numbers.

    Attributes:
        name: for people.
        x: (N, D) float32.
        image: height and width of a row that is a picture.
    """

    name: str
    x: NDArray[np.float32]
    image: tuple[int, int] | None = None


def load_table(source: str, key: str | None = None) -> Table:
    """A data set by name, or the rows in a file.

    Args:
        source: ``digits`` (scikit-learn's 1,797 pictures of 8 x 8 pixels, 0 to 16), or the path
            of an .npy or .npz file of numbers (N, ...); images (N, height, width) are known as
            such, anything else is made flat.
        key: the array of an .npz file; may be left out where it has one only.

    Raises:
        GailError: if there are no such data.
    """
    if source == "digits":
        return _digits()
    path = Path(source)
    if path.suffix not in (".npy", ".npz") or not path.is_file():
        raise GailError(
            f"--data is {source}; expected the word digits, or an .npy or .npz file that exists."
        )
    array = _array(path, key)
    if array.ndim < 2 or 0 in array.shape or array.dtype.kind not in "fiub":
        raise GailError(
            f"{path} holds {array.dtype} of the shape {array.shape}; expected rows of numbers."
        )
    flat = array.reshape(len(array), -1).astype(np.float32)
    image = (array.shape[1], array.shape[2]) if array.ndim == 3 else None
    return Table(path.name, flat, image)


def _digits() -> Table:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise GailError(
            "The digits come with scikit-learn, which is not installed; "
            "pip install scikit-learn, or give a file with --data."
        ) from error
    return Table("digits", load_digits().data.astype(np.float32), (8, 8))


def _array(path: Path, key: str | None) -> NDArray[Any]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            names = list(loaded.files)
            if key is None and len(names) == 1:
                key = names[0]
            if key not in names:
                raise GailError(
                    f"{path} holds the arrays {', '.join(names)}; choose one with --key."
                )
            array: NDArray[Any] = loaded[key]
            return array
    except GailError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise GailError(f"{path} cannot be read as arrays of numbers ({error}).") from error
