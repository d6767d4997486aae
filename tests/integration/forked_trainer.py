"""A trainer that forks: ``python forked_trainer.py FOLDER``, for `test_ends.py`.

The child uses the pool in every way it can, is interrupted, and exits; the parent takes its batches
all the while. What the child got goes to stdout.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from bare_trainer import BareTrainer, is_waited_for, names_in

from feedline import ProducerPool
from feedline.errors import ClosedError


def be_a_child(pool: ProducerPool, trainer: BareTrainer) -> None:
    """Try all that would disturb the parent, then exit as programs do."""
    for use in (lambda: trainer.fetch(0), lambda: pool.producers):
        try:
            use()
        except ClosedError as error:
            sys.stdout.write(f"{error}\n")
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        sys.stdout.write("interrupted\n")
    trainer.close()
    pool.close()
    sys.exit(7)


def main(folder: Path) -> None:
    """Fork while a batch is awaited."""
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        trainer = BareTrainer(pool, folder, names_in(folder))
        labels: list[int] = []
        waiting = threading.Thread(target=lambda: labels.extend(trainer.fetch(0)))
        waiting.start()
        while not is_waited_for(pool):
            pass
        child = os.fork()
        if child == 0:
            be_a_child(pool, trainer)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"the child exited with {os.waitstatus_to_exitcode(status)}\n")
        assert waiting.is_alive(), "the wait of the parent ended"
        sys.stdout.write(f"{pool.endpoint}\n")
        sys.stdout.flush()
        waiting.join()
        sys.stdout.write(f"the parent got {labels}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
