"""Train a small network on real photographs, and see whether it ever waits for a batch.

Without --directory, photographs that come inside the scikit-image and scikit-learn wheels are cut
once into some 4,000 JPEG tiles; the network tells of each tile which photograph it is from. Two
producer processes decode and augment the batches. Takes about a minute on two cores.

For example:
  feedline demo
  feedline demo --directory flowers --image-size 128 --epochs 20
  feedline demo --endpoint tcp://0.0.0.0:5555 --keys keys --cache-dir /data
      and, on any machine that has /data:
      feedline-producer --connect tcp://TRAINER:5555 --keys keys --data-root /data
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from feedline.common.errors import ConfigurationError, FeedlineError
from feedline.common.wire.names import printable
from feedline.trainer.commands.numbers import AtLeast
from feedline.trainer.console.cache_dir import default_cache_dir

if TYPE_CHECKING:
    from feedline.trainer.demo.corpus import Corpus
    from feedline.trainer.demo.training import Outcome

EPOCHS = 10
IMAGE_SIZE = 64
WORKERS = 2
MIN_ACCURACY = 0.90
"""What the tiles must reach: they do so easily, unless images and labels part ways."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _add_places(parser)
    _add_training(parser)
    _add_producers(parser)


def run(args: argparse.Namespace) -> int:
    """Train, draw, sum up.

    Raises
    ------
    FeedlineError
        If a folder, an option or a batch cannot be used, or the tiles were not learnt.
    """
    _log(args)
    for option in ("insecure", "keys"):
        if getattr(args, option) and args.endpoint is None:
            raise ConfigurationError(f"--{option} is said of an --endpoint, and none is given: leave it out")
    out = _folder(args.out)
    corpus = _corpus(args)
    print(f"{_headline(corpus)}; starting TensorFlow", flush=True)
    outcome = _train(corpus, args)
    pictures = _draw(outcome, corpus, out)
    print(printable(_summary(outcome, corpus, pictures)))
    _check_accuracy(outcome, args)
    return 0


def _add_places(parser: argparse.ArgumentParser) -> None:
    places = parser.add_argument_group("images and pictures")
    places.add_argument(
        "--directory",
        metavar="DIR",
        type=Path,
        help="your own images, in one folder per class, instead of the tiles",
    )
    places.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("demo"),
        help="where training.png and batches.png go (default: ./demo)",
    )
    places.add_argument(
        "--cache-dir",
        metavar="DIR",
        type=Path,
        help="where the tiles are kept (default: $XDG_CACHE_HOME/feedline or ~/.cache/feedline)",
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    training = parser.add_argument_group("training")
    for option, default, least, text in (
        ("--epochs", EPOCHS, 1, "times that each image is trained on"),
        ("--batch-size", 64, 1, "images of a batch"),
        ("--image-size", IMAGE_SIZE, 16, "height and width of the images as the network sees them"),
        ("--seed", 7, 0, "of weights, orders and augmentation"),
    ):
        training.add_argument(
            option, metavar="N", type=AtLeast(least), default=default, help=f"{text} (default: {default})"
        )


def _add_producers(parser: argparse.ArgumentParser) -> None:
    producers = parser.add_argument_group("producers")
    one = producers.add_mutually_exclusive_group()
    one.add_argument(
        "--workers",
        metavar="N",
        type=AtLeast(1),
        help=f"embedded producer processes (default: {WORKERS})",
    )
    one.add_argument(
        "--endpoint",
        metavar="ENDPOINT",
        help="listen here for producers that are started elsewhere, with the images' folder "
        "(--directory or --cache-dir) as their --data-root",
    )
    producers.add_argument(
        "--keys",
        metavar="DIR",
        help="a folder that `feedline keygen` made: only producers with listed keys are served, and all that"
        " goes over TCP is encrypted (default: $FEEDLINE_KEYS)",
    )
    producers.add_argument(
        "--insecure",
        action="store_true",
        help="let other machines reach --endpoint without keys: nothing is encrypted or authenticated",
    )


def _log(args: argparse.Namespace) -> None:
    """Producers of one's own may come and go unsaid; those elsewhere are worth a line each."""
    level = logging.WARNING if args.endpoint is None else logging.INFO
    logging.basicConfig(format="%(message)s", level=level)


def _folder(out: Path) -> Path:
    """Make it, and write to it, now: it would be a pity to find out after the training."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            return out
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to the folder {str(out)!r}: {error.strerror}. Choose another --out"
        ) from error


def _corpus(args: argparse.Namespace) -> Corpus:
    from feedline.trainer.demo.corpus import class_folders, photo_tiles

    if args.directory is not None:
        return class_folders(args.directory, args.seed)
    return photo_tiles(args.cache_dir or default_cache_dir())


def _train(corpus: Corpus, args: argparse.Namespace) -> Outcome:
    from feedline.trainer.console.quiet import quiet_import

    with quiet_import():
        from feedline.trainer.demo.training import Settings, train

    shape = (args.epochs, args.batch_size, args.image_size, args.seed)
    settings = Settings(
        *shape, args.workers or WORKERS, args.endpoint, insecure=args.insecure, keys=args.keys
    )
    return train(corpus, settings)


def _draw(outcome: Outcome, corpus: Corpus, out: Path) -> tuple[Path, Path]:
    from feedline.trainer.demo.pictures import draw_batches, draw_training

    training, batches = out / "training.png", out / "batches.png"
    draw_training(outcome, _headline(corpus), training)
    draw_batches(outcome.shown, corpus.class_names, batches)
    return training, batches


def _headline(corpus: Corpus) -> str:
    counts = f"{len(corpus.train):,} images to train on, {len(corpus.validation):,} to validate"
    return f"{counts}, {len(corpus.class_names)} classes"


def _summary(outcome: Outcome, corpus: Corpus, pictures: tuple[Path, Path]) -> str:
    steady = outcome.steady
    span = "after the first epoch" if len(outcome.epochs) > 1 else "in the first epoch"
    training, batches = pictures
    return f"""
  images per second     {steady.images_per_s:,.0f}    {span}
  waiting for batches   {steady.wait_share:.1%}   of the step time
  validation accuracy   {outcome.accuracy:.3f}  of {len(corpus.validation):,} images, predicted in order
  training curves       {training}
  augmented batches     {batches}
"""


def _check_accuracy(outcome: Outcome, args: argparse.Namespace) -> None:
    """Of less training, or of the user's own images, nothing can be promised."""
    promised = args.directory is None and args.epochs >= EPOCHS and args.image_size >= IMAGE_SIZE
    if promised and outcome.accuracy < MIN_ACCURACY:
        raise FeedlineError(
            f"validation accuracy is {outcome.accuracy:.3f}, expected at least {MIN_ACCURACY:.2f} on these "
            "tiles: images and labels may have parted ways. Please report this, with both pictures"
        )
