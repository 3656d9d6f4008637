"""Writing pictures as MP4, GIF or a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import imageio.v2 as imageio
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from gail.gl import RenderingError
from generative.files import replacing_file

Picture = NDArray[np.uint8]  # (height, width, 3)

SUFFIXES = (".mp4", ".gif", ".png")
SHEET = (3, 4)  # columns and rows of a contact sheet
SHEET_WIDTH = 1920  # pixels, about
GAP = 4  # pixels between pictures


def check_suffixes(paths: list[Path]) -> None:
    """Make sure that every path says what to write.

    Raises:
        RenderingError: if a suffix is not known.
    """
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            raise RenderingError(
                f"{path} does not end in .mp4, .gif or .png; the suffix decides what is written."
            )


def write(pictures: Iterator[Picture], paths: list[Path], fps: float) -> None:
    """Write one run of pictures to one or several files, each replaced in one piece.

    Args:
        pictures: all of one size; read once, never held together in memory.
        paths: where to; the suffix decides the form.
        fps: pictures a second.
    """
    with ExitStack() as stack:
        writers = [stack.enter_context(_writer(path, fps)) for path in paths]
        for picture in pictures:
            for writer in writers:
                writer.append_data(picture)


def captioned(picture: Picture, text: str) -> Picture:
    """The picture (H, W, 3) with a line of text on a strip below it."""
    height = max(16, picture.shape[1] // 16) // 2 * 2
    strip = Image.new("RGB", (picture.shape[1], height), (20, 20, 24))
    ImageDraw.Draw(strip).text(
        (height // 3, height // 2), text, fill=(240, 240, 240), font=_font(height), anchor="lm"
    )
    return np.vstack([picture, np.asarray(strip)])


def beside(pictures: Sequence[Picture]) -> Picture:
    """Pictures of one height next to one another, with black gaps."""
    padded = [np.pad(picture, ((0, 0), (0, GAP), (0, 0))) for picture in pictures[:-1]]
    return np.hstack([*padded, pictures[-1]])


def fit(picture: Picture, size: int) -> Picture:
    """Scale a picture (H, W, 3) into a square of ``size`` pixels, with black bars if needed."""
    image = Image.fromarray(picture)
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    square = Image.new("RGB", (size, size))
    square.paste(image.resize((width, height)), ((size - width) // 2, (size - height) // 2))
    return np.asarray(square)


@contextmanager
def _writer(path: Path, fps: float) -> Iterator[Any]:
    """What takes pictures by ``append_data`` and leaves the file at ``path``."""
    with TemporaryDirectory() as folder:
        made = Path(folder) / f"film{path.suffix.lower()}"
        if made.suffix == ".png":
            sheet = _Sheet()
            yield sheet
            imageio.imwrite(made, sheet.picture())
        else:
            with _video_writer(made, fps) as writer:
                yield writer
        with replacing_file(path) as handle:
            handle.write(made.read_bytes())


def _video_writer(path: Path, fps: float) -> Any:
    if path.suffix == ".gif":
        return imageio.get_writer(path, mode="I", duration=1000 / fps, loop=0)
    return imageio.get_writer(
        path, format="FFMPEG", mode="I", fps=fps, codec="libx264", quality=7, macro_block_size=2
    )


class _Sheet:
    """Keeps evenly spaced pictures of a run whose length is not known beforehand."""

    def __init__(self) -> None:
        self.kept: list[Picture] = []
        self.seen, self.stride = 0, 1

    def append_data(self, picture: Picture) -> None:
        if self.seen % self.stride == 0:
            self.kept.append(picture)
        self.seen += 1
        if len(self.kept) > 4 * SHEET[0] * SHEET[1]:
            self.kept, self.stride = self.kept[::2], 2 * self.stride

    def picture(self) -> Picture:
        columns, rows = SHEET
        chosen = np.linspace(0, len(self.kept) - 1, columns * rows).round().astype(int)
        scale = min(1.0, SHEET_WIDTH / (columns * self.kept[0].shape[1]))
        images = [Image.fromarray(self.kept[i]) for i in chosen]
        width, height = (max(1, round(side * scale)) for side in images[0].size)
        tiles = [np.asarray(image.resize((width, height))) for image in images]
        lines = [beside(tiles[r * columns : (r + 1) * columns]) for r in range(rows)]
        return np.vstack([np.pad(line, ((0, GAP), (0, 0), (0, 0))) for line in lines])


@cache
def _font(height: int) -> Any:
    return ImageFont.load_default(size=height * 0.6)
