"""Writes one training after the other, for `test_training_folder.py`: ``python keeps_writing.py FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from feedline.trainer.resuming.folder import Kept, TrainingFolder


def main(path: Path) -> None:
    """Go on from the number that is there until it is killed."""
    folder = TrainingFolder(path)
    folder.prepare()
    kept = folder.read()
    number = 0 if kept is None else kept.plain["number"]
    is_first = True
    while True:
        number += 1
        arrays = {"a/0": np.full((300, 1000), number, np.float32), "b": np.array(number)}
        folder.write(Kept({"number": number}, arrays))
        if is_first:
            sys.stdout.write("begun\n")
            sys.stdout.flush()
            is_first = False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
