"""The errors this package raises for wrong input and for failed training.

Each carries one sentence: what was given, what was expected, what to do. The command line
prints that sentence and exits with code 2; it never shows a stack trace for them.
"""

from __future__ import annotations


class GailError(ValueError):
    """Wrong input, told in one sentence that names the file and field where there is one."""


class DemonstrationError(GailError):
    """A demonstration file or array that cannot be used as given."""


class CheckpointError(GailError):
    """A saved model or checkpoint that cannot be read or does not fit the task."""


class DivergenceError(RuntimeError):
    """Training met non-finite values; the message names the tensor that held them."""
