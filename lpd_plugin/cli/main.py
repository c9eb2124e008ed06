"""`lpd`: the commands and what they exit with."""

from __future__ import annotations

import os
import sys

import click

from .. import __version__
from ..allocator import keep_freed
from ..errors import Cancelled, LpdError
from . import adapt, batch, catalogue, evaluate, prepare, render, training, weights


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lpd")
def cli() -> None:
    """Neural head reenactment for editing and compositing.

    Make synthetic media only of people who agreed to it, and say that it is synthetic.
    """


for part in (render, batch, adapt, catalogue, prepare, training, evaluate, weights):
    for command in part.COMMANDS:
        cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; exit codes: 0 done, 1 failed while working, 2 usage or bad input, 130 cancelled."""
    keep_freed()
    # Read by NumPy when it is first imported, by a command. Our matrix products are small: a second thread waits for the first,
    # on a core that others want.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        code = cli.main(arguments, prog_name="lpd", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(_said(Cancelled()))
    except LpdError as error:
        sys.exit(_said(error))
    except BrokenPipeError:  # the reader of our output went away
        sys.exit(0)
    if isinstance(code, int) and code:  # what a command chose to exit with
        sys.exit(code)


def _said(error: LpdError) -> int:
    click.echo(f"lpd: {error}", err=True)
    return error.exit_code


if __name__ == "__main__":
    main()
