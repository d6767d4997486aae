"""Make key pairs: the trainer's and a producer's, or one more producer's.

DIR/trainer stays with the trainer. DIR/producer goes to the hosts of producers, by a way that nobody
listens to. More producers get keys of their own, each under a name. To shut one out, remove
DIR/trainer/producers/NAME.key: a training that runs notices.

For example:
  feedline keygen keys
  feedline keygen keys --producer lab2
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from feedline.common.wire.names import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="made if it is missing")
    parser.add_argument(
        "--producer", metavar="NAME", help="make keys for one more producer, or a group of them"
    )


def run(args: argparse.Namespace) -> int:
    """Make them, and say what goes where.

    Raises
    ------
    ConfigurationError
        There are some already, or the folder cannot be written to.
    """
    from feedline.common.keys.files import PRODUCER, TRAINER
    from feedline.common.keys.making import make_keys

    make_keys(args.folder, args.producer)
    keys, own = shlex.quote(str(args.folder)), args.folder / (args.producer or PRODUCER)
    keys, quoted = printable(keys), printable(shlex.quote(str(own)))
    print(f"  {printable(str(args.folder / TRAINER))}   stays with the trainer:")
    print(f"      ProducerPool('tcp://0.0.0.0:5555', keys={str(args.folder)!r}), or FEEDLINE_KEYS={keys}")
    print(f"  {printable(str(own))}   goes to hosts of producers: scp -r {quoted} HOST:keys, and there")
    print("      feedline-producer --connect tcp://TRAINER:5555 --keys keys --data-root DIR")
    return 0
