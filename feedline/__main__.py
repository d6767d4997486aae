"""``python -m feedline``, which is the command ``feedline``."""

import sys

from feedline.trainer.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
