"""``feedline``, or ``python -m feedline``: the commands of the trainer's side, and what their errors become.

Helping must be quick, and every command's module is imported for it: what a command needs, it
imports when it runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Protocol

from feedline.common.errors import FeedlineError, InterruptedWaitError
from feedline.common.extras import what_is_missing
from feedline.common.wire.names import printable
from feedline.trainer.commands import bench, check, demo, doctor, keygen, monitor, preview


class Command(Protocol):
    """What a module in `trainer/commands/` offers. Its docstring is its help; line one, the summary."""

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Declare the options."""

    def run(self, args: argparse.Namespace, /) -> int:
        """Do it, and return the exit status."""


COMMANDS: dict[str, Command] = {
    "bench": bench,
    "check": check,
    "demo": demo,
    "doctor": doctor,
    "keygen": keygen,
    "monitor": monitor,
    "preview": preview,
}

DESCRIPTION = "Feedline keeps a Keras trainer fed with image batches from producer processes."
EXAMPLES = """\
examples:
  feedline demo                      train on real photographs, with two producers
  feedline demo --directory flowers  train on your own folder of class folders
  feedline preview photos            a picture of samples, on disk and as a model gets them
  feedline check photos              decode every image, and say which cannot be used
  feedline bench                     what it does in a second, and what others do
  feedline doctor photos             what this machine and your images are good for
  feedline monitor                   watch a training that was started with monitor=
  feedline keygen keys               keys for a trainer and producers on other machines
  feedline-producer --help           start producers elsewhere
"""
FAILED = 1
INTERRUPTED = 130
"""What a shell reports of a command that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``feedline``; by default those of the command line.

    Returns
    -------
    int
        Exit status: 0 if it worked, 1 after an error, 130 after Ctrl-C. Wrong options end the process
        with 2, as `argparse` does.
    """
    args = make_parser().parse_args(argv)
    try:
        return COMMANDS[args.command].run(args)
    except (KeyboardInterrupt, InterruptedWaitError):
        return _say(args.command, "interrupted", INTERRUPTED)
    except FeedlineError as error:
        return _say(args.command, plain_sentence(error), FAILED)
    except ModuleNotFoundError as error:
        sentence = what_is_missing(error.name)
        if sentence is None:
            raise
        return _say(args.command, sentence, FAILED)


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    # The default formatter would flow the examples together.
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "feedline", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=raw
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        text = command.__doc__ or ""
        summary = text.partition("\n")[0]
        command.add_arguments(commands.add_parser(name, help=summary, description=text, formatter_class=raw))
    return parser


def plain_sentence(error: FeedlineError) -> str:
    """Leave a producer's traceback out of an error's text, but for the line that says what it was."""
    text, _, trace = str(error).partition("\nTraceback (most recent call last):\n")
    what = trace.rstrip().rpartition("\n")[2]
    reason = what.partition(": ")[2] or what
    return text if reason in text else f"{text} {what}"


def _say(command: str, text: str, status: int) -> int:
    sys.stderr.write(f"feedline {command}: {printable(text)}\n")
    return status
