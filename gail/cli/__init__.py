"""The command ``gail``.

Every subcommand is a frozen dataclass: its fields are the flags, their doc lines the help, and
``run`` does the work. Nothing heavy is imported before ``run``, so help is shown at once.

Exit codes: 0 done; 1 training diverged; 2 wrong input, told in one sentence on the standard error
stream; 130 and 143 stopped by Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import errno
import io
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Annotated, Any

import tyro
from tyro.conf import OmitArgPrefixes, OmitSubcommandPrefixes, subcommand

from gail.cli.audit import AuditFile
from gail.cli.bench import Bench
from gail.cli.collect import Collect
from gail.cli.console import complain
from gail.cli.data import Convert, Inspect, Validate
from gail.cli.doctor import Doctor
from gail.cli.evaluate import Evaluate
from gail.cli.export import Export
from gail.cli.fit import Fit
from gail.cli.generate import Generate
from gail.cli.render import Render
from gail.cli.report import Report
from gail.cli.train import Train
from gail.errors import DivergenceError, GailError

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
DESCRIPTION = "Generative adversarial imitation learning: demonstrations in, a policy out."


@dataclass(frozen=True)
class Data:
    """Look at, convert, check and audit demonstration files, or model them."""

    action: OmitArgPrefixes[
        OmitSubcommandPrefixes[
            Annotated[Inspect, subcommand("inspect")]
            | Annotated[Convert, subcommand("convert")]
            | Annotated[Validate, subcommand("validate")]
            | Annotated[AuditFile, subcommand("audit")]
            | Annotated[Fit, subcommand("fit")]
        ]
    ]

    def run(self) -> None:
        """Do what was chosen."""
        self.action.run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; by default those of the process.

    Returns:
        The exit code.

    Raises:
        SystemExit: from the parser, for ``--help`` (code 0) and unknown flags (code 2).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        parse(words).run()
    except ValueError as error:
        from generative.files import FileError  # brings PyTorch, which --help does not wait for

        if not isinstance(error, GailError | FileError):
            raise
        complain(error)
        return 2
    except DivergenceError as error:
        complain(error)
        return 1
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        complain(
            f"{error.strerror}, so a file could not be written; free some space. What was written "
            "before is kept: go on with gail train --resume."
        )
        return 2
    except KeyboardInterrupt as stop:  # runs.Interrupted, a subclass, knows its signal
        number = getattr(stop, "number", signal.SIGINT)
        complain(str(stop) or "stopped by SIGINT")
        return 128 + int(number)
    return 0


def parse(words: Sequence[str]) -> Any:
    """The subcommand that a command line asks for, an object with ``run``.

    Raises:
        GailError: a setting is out of its range.
        SystemExit: from the parser.

    >>> parse(["train", "--env", "Humanoid-v5", "--ppo.learning-rate", "1e-4"]).ppo.kl_target
    0.02
    """
    train = Train.defaults(words) if words[:1] == ["train"] else Train()
    generate = Generate.defaults(words if words[:1] == ["generate"] else [""])
    kinds: Any = (
        Annotated[Train, subcommand("train", default=train)]
        | Annotated[Evaluate, subcommand("evaluate")]
        | Annotated[Render, subcommand("render")]
        | Annotated[Collect, subcommand("collect")]
        | Annotated[Export, subcommand("export")]
        | Annotated[Data, subcommand("data")]
        | Annotated[Bench, subcommand("bench")]
        | Annotated[Report, subcommand("report")]
        | Annotated[Generate, subcommand("generate", default=generate)]
        | Annotated[Doctor, subcommand("doctor")]
    )
    told = io.StringIO()
    try:
        with redirect_stderr(told):
            return tyro.cli(kinds, args=words, prog="gail", description=DESCRIPTION)
    except SystemExit as stop:
        wrong = _wrong_setting(stop)
        if wrong is not None:
            raise wrong from None
        sys.stderr.write(told.getvalue())
        raise


def _wrong_setting(error: BaseException | None) -> GailError | None:
    """The sentence behind the parser's exit, which would frame it and add names of its own."""
    while error is not None and not isinstance(error, GailError):
        error = error.__cause__ or error.__context__
    return error
