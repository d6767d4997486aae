"""Look at this machine and your data, and say what to change.

Cores, shared memory, limits, versions and decoders; of a folder whether it can be read, how fast, and how
many images a second producers here make of it. Ends with status 1 if something will not work.

For example:
  feedline doctor
  feedline doctor photos --image-size 224 --workers 4
  feedline doctor --listen 0.0.0.0:5556          on the trainer's machine, until Ctrl-C
  feedline doctor --rate-to trainer:5556         on a producer's: how fast is the network between them
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from feedline.common.wire.names import printable
from feedline.trainer.commands.numbers import AtLeast, seconds

if TYPE_CHECKING:
    from feedline.trainer.doctor.findings import Finding

BAD = 1
CHANNELS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folders", metavar="DIR", nargs="*", type=Path, help="folders of images to look at")
    parser.add_argument(
        "--image-size", metavar="N", type=AtLeast(1), default=224, help="its sides (default: 224)"
    )
    parser.add_argument(
        "--workers", metavar="N", type=AtLeast(1), help="producers to try (default: usable cores)"
    )
    parser.add_argument("--seconds", metavar="S", type=seconds, default=5.0, help="to try them (default: 5)")
    parser.add_argument("--keys", metavar="DIR", type=Path, help="look at the keys there, too")
    parser.add_argument("--listen", metavar="HOST:PORT", help="take in what --rate-to sends, until Ctrl-C")
    parser.add_argument("--rate-to", metavar="HOST:PORT", help="measure the network to a --listen")


def run(args: argparse.Namespace) -> int:
    """Look at all of it, and print; returns the exit status.

    Raises
    ------
    FeedlineError
        Nothing can be sent where it was to be, nobody can listen there, or producers cannot be started.
    """
    from feedline.trainer.doctor.findings import Severity, verdict_of

    if args.listen is not None:
        return _listen(args.listen)
    findings = []
    for finding in _looked_at(args):
        print(printable(str(finding)), flush=True)
        findings.append(finding)
    print(verdict_of(findings))
    return BAD if any(finding.severity is Severity.BAD for finding in findings) else 0


def _looked_at(args: argparse.Namespace) -> Iterator[Finding]:
    from feedline.trainer.doctor.data import images_in, look_at_folder
    from feedline.trainer.doctor.findings import Severity
    from feedline.trainer.doctor.keys import look_at_keys
    from feedline.trainer.doctor.machine import look_at_machine
    from feedline.trainer.doctor.rate import address, network, send

    yield from look_at_machine()
    if args.keys is not None:
        yield look_at_keys(args.keys)
    if args.rate_to is not None:
        yield network(args.rate_to, send(*address(args.rate_to)), CHANNELS * args.image_size**2)
    for folder in args.folders:
        images = images_in(folder)
        findings = list(look_at_folder(folder, images))
        yield from findings
        if all(finding.severity is not Severity.BAD for finding in findings):
            yield _tried(args, folder, images)


def _tried(args: argparse.Namespace, folder: Path, images: list[Path]) -> Finding:
    from feedline.common.processes.children import usable_cores
    from feedline.trainer.console.quiet import quiet_import

    with quiet_import():
        from feedline.trainer.doctor.throughput import estimate
    size = (args.image_size, args.image_size)
    return estimate(folder, images, size, args.workers or usable_cores(), args.seconds)


def _listen(where: str) -> int:
    from feedline.trainer.console.units import in_bytes
    from feedline.trainer.doctor.rate import address, listen, receive

    with listen(*address(where)) as server:
        print(f"listening on {where}; run feedline doctor --rate-to there, and Ctrl-C here", flush=True)
        while True:
            sender, num_bytes, trouble = receive(server)
            end = f", until it broke off: {trouble}" if trouble else ""
            print(f"{in_bytes(num_bytes)} from {sender}{end}", flush=True)
