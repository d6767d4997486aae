"""A real producer that forgives at once: it says hello a moment later to whoever it turned away from."""

from __future__ import annotations

import os
import sys

from feedline.producer.__main__ import main
from feedline.producer.serving import worker

if __name__ == "__main__":
    worker.TURN_AWAY_S = 0.01
    worker.RECONNECT_MS = 10
    sys.exit(main([*sys.argv[1:], "--unsupervised", "--parent-pid", str(os.getppid())]))
