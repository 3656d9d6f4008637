"""Tables of numbers for generative models: known by name, or from a file."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gail.errors import GailError

Array = NDArray[Any]
Kind = Literal["vectors", "images", "sequences"]
LENGTHS = "lengths"  # the array of an .npz file that tells how many steps of a sequence count


@dataclass(frozen=True)
class Table:
    """Rows of numbers.

    Attributes:
        name: for people.
        kind: what a row is.
        x: vectors (N, D), images (N, C, H, W) or sequences (N, T, D); bytes or float32.
        lengths: (N,), how many of the T steps of a sequence count; None for all.
    """

    name: str
    kind: Kind
    x: Array
    lengths: Array | None = None

    def flat(self) -> Table:
        """The same rows as vectors.

        >>> Table("films", "images", np.zeros((5, 1, 2, 3), np.uint8)).flat().x.shape
        (5, 6)
        """
        return Table(self.name, "vectors", self.x.reshape(len(self.x), -1).astype(np.float32))

    def windows(self, steps: int | None = None) -> Table:
        """Sequences cut into windows one after another; what is left at their ends is left out.

        Args:
            steps: of a window; by default those of the shortest sequence.

        Raises:
            GailError: if no sequence is as long.

        >>> Table("walks", "sequences", np.zeros((2, 7, 3)), np.array([7, 4])).windows(3).x.shape
        (3, 3, 3)
        """
        counts = np.full(len(self.x), self.x.shape[1]) if self.lengths is None else self.lengths
        steps = int(counts.min()) if steps is None else steps
        if not 1 <= steps <= counts.max():
            raise GailError(
                f"--window is {steps}; expected 1 to {counts.max()}, the steps of the longest "
                f"sequence in {self.name}."
            )
        starts = [
            (row, first)
            for row, count in enumerate(counts)
            for first in range(0, int(count) - steps + 1, steps)
        ]
        cut = np.stack([self.x[row, first : first + steps] for row, first in starts])
        return replace(self, x=cut, lengths=None)


def load_table(source: str, key: str | None = None, kind: Kind | None = None) -> Table:
    """A data set by name, or the rows in a file.

    Args:
        source: ``digits`` (scikit-learn's 1,797 pictures of 8 x 8 pixels, 0 to 16), or the path
            of an .npy or .npz file of numbers.
        key: the array of an .npz file; may be left out where one only could be meant. An array
            ``lengths`` beside it tells how many steps of each sequence count.
        kind: of the rows. By default (N, D) are vectors, (N, C, H, W) and bytes (N, H, W) images,
            other (N, T, D) sequences.

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
    array, lengths = _arrays(path, key)
    if array.ndim < 2 or 0 in array.shape or array.dtype.kind not in "fiub":
        raise GailError(
            f"{path} holds {array.dtype} of the shape {array.shape}; expected rows of numbers."
        )
    table = Table(path.name, *_known(array, kind, path))
    if lengths is None or table.kind != "sequences":
        return table
    return replace(table, lengths=_lengths(lengths, table.x, path))


def _digits() -> Table:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise GailError(
            "The digits come with scikit-learn, which is not installed; "
            "pip install scikit-learn, or give a file with --data."
        ) from error
    return Table("digits", "images", load_digits().images.astype(np.float32)[:, None])


def _known(array: Array, kind: Kind | None, path: Path) -> tuple[Kind, Array]:
    """The kind of rows in an array, and the array as that kind has it."""
    array = array if array.dtype == np.uint8 else array.astype(np.float32)
    if kind is None:
        bytes_of_images = array.ndim == 3 and array.dtype == np.uint8
        kinds: dict[int, Kind] = {2: "vectors", 3: "sequences", 4: "images"}
        kind = "images" if bytes_of_images else kinds.get(array.ndim, "vectors")
    if kind == "images" and array.ndim == 3:
        array = array[:, None]
    if kind == "vectors":
        array = array.reshape(len(array), -1)
    if array.ndim != {"vectors": 2, "sequences": 3, "images": 4}[kind]:
        shape = "(N, T, D)" if kind == "sequences" else "(N, C, H, W) or (N, H, W)"
        raise GailError(
            f"{path} holds an array of the shape {array.shape}; expected {shape} for {kind}."
        )
    return kind, array


def _lengths(lengths: Array, x: Array, path: Path) -> Array:
    whole = lengths.dtype.kind in "iu" and lengths.shape == (len(x),)
    if not (whole and lengths.min() >= 1 and lengths.max() <= x.shape[1]):
        raise GailError(
            f"{path} holds lengths of the shape {lengths.shape} ({lengths.dtype}) beside sequences "
            f"{x.shape}; expected {len(x)} whole numbers from 1 to {x.shape[1]}."
        )
    return lengths


def _arrays(path: Path, key: str | None) -> tuple[Array, Array | None]:
    """The array that is meant, and the lengths where there are some."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, None
        with loaded:
            names = list(loaded.files)
            rest = [name for name in names if name != LENGTHS]
            if key is None and len(rest) == 1:
                key = rest[0]
            if key not in names:
                raise GailError(
                    f"{path} holds the arrays {', '.join(names)}; choose one with --key."
                )
            return loaded[key], loaded[LENGTHS] if LENGTHS in names else None
    except GailError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise GailError(_why_not(path, error)) from error


def _why_not(path: Path, error: Exception) -> str:
    """What keeps a file from being read; NumPy itself would advise to unpickle it."""
    if isinstance(error, PermissionError):
        return f"{path} cannot be read ({error.strerror}); give a file you may read."
    if "Object arrays" in str(error):
        return f"{path} holds Python objects, which are never read; expected arrays of numbers."
    return (
        f"{path} is neither .npy nor .npz, whatever its name says, or it is damaged; give a file "
        "that numpy.save or numpy.savez wrote."
    )
