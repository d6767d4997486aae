"""A trainer without Keras, which starts in a moment: a pool, one job, and its batches.

``python bare_trainer.py ENDPOINT DIRECTORY PATTERN [GATES]`` takes batches of the images of a directory
until it is ended, and says so for each. ENDPOINT may be a number of embedded producers instead. With a folder
of gates each image waits at its own, see `gates.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gates import gated

from feedline import ProducerPool
from feedline.common.batch.layout import ArraySpec
from feedline.common.declarations.base import Transform
from feedline.common.job.images import Job
from feedline.common.sample.image import ImageSpec
from feedline.trainer.plan.epochs import EpochPlan, StepKey
from feedline.trainer.pool.job_source import JobSource, ticket_paths

SIZE = (24, 32)
"""Of the images that `images.write_images` makes."""


class BareTrainer:
    """A job of a pool, in the order of the files.

    Parameters
    ----------
    pool : ProducerPool
        Whose producers to use.
    directory : path
        Of the images.
    names : list of str
        The files; their labels are `first_label`, `first_label` + 1 ...
    batch_size : int
        Samples of a step.
    transforms : tuple of Transform
        What is done to the images.
    """

    def __init__(
        self,
        pool: ProducerPool,
        directory: Path,
        names: list[str],
        batch_size: int = 2,
        first_label: int = 0,
        transforms: tuple[Transform, ...] = (),
    ) -> None:
        self._pool = pool
        plan = EpochPlan(len(names), batch_size)
        self.job = Job(
            pool.new_job_id(),
            0,
            batch_size,
            ImageSpec(*SIZE),
            transforms,
            "uint8",
            (ArraySpec("y", (), "int64"),),
        )
        self.num_steps = plan.num_steps
        labels = np.arange(first_label, first_label + len(names))
        paths = ticket_paths(names, str(directory), embedded=pool.embedded)
        pool.open_job(JobSource(f"bare {self.job.job_id}", self.job, plan, paths, (labels,), 10))

    def fetch(self, step: int, epoch: int = 0, timeout_s: float = 60.0) -> list[int]:
        """Wait for a step and take its labels."""
        return self.fetch_arrays(step, epoch, timeout_s)["y"].tolist()

    def fetch_arrays(self, step: int, epoch: int = 0, timeout_s: float = 60.0) -> dict[str, np.ndarray]:
        """Wait for a step and take its images and labels."""
        return self._pool.fetch(self.job.job_id, StepKey(epoch, step), timeout_s)

    def epochs(self, num: int) -> Iterator[list[int]]:
        """The labels of batch after batch."""
        for epoch in range(num):
            for step in range(self.num_steps):
                yield self.fetch(step, epoch)

    def close(self) -> None:
        """Close the job, not the pool."""
        self._pool.close_job(self.job.job_id)


def is_waited_for(pool: ProducerPool) -> list[int]:
    """The steps that somebody waits for, as the pool's thread sees it."""
    return pool._call(lambda _: [key.step for _, key in pool._thread.exchange._waiters.steps()])


def names_in(directory: Path, pattern: str = "*") -> list[str]:
    """The files of a directory, sorted."""
    return sorted(str(path.relative_to(directory)) for path in directory.glob(pattern))


def main(endpoint: str, directory: str, pattern: str, gates: str = "") -> None:
    """Serve until the end."""
    pool = ProducerPool(workers=int(endpoint)) if endpoint.isdigit() else ProducerPool(endpoint)
    with pool:
        names, transforms = names_in(Path(directory), pattern), (gated(Path(gates)),) if gates else ()
        trainer = BareTrainer(pool, Path(directory), names, transforms=transforms)
        for labels in trainer.epochs(1_000_000):
            sys.stdout.write(f"{labels}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
