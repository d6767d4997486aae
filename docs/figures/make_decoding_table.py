"""Write the table of docs/decoding.md: ``python -m docs.figures.make_decoding_table``, in the root.

Every file of ``tests/picture_files.py`` is decoded in every color mode and depth. A result is compared with
what is in the file; anything but the right pixels or a refusal ends this.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.errors import DecodeError
from feedline.producer.reading.decoders import decode

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from picture_files import FILES, classes, expected  # noqa: E402 - where it lies is said above

PAGE = ROOT / "docs" / "decoding.md"
START, END = "<!-- made by docs/figures/make_decoding_table.py -->\n", "<!-- end of what is made -->\n"
MODES = ("grayscale", "rgb", "rgba", "classes")
DTYPES = ("uint8", "uint16")


class WrongPixelsError(Exception):
    """A cell is neither right nor refused."""


def outcome(name: tuple[str, str], color_mode: str, dtype: str) -> str | None:
    """Why a file is refused; None if its pixels are right.

    Raises
    ------
    WrongPixelsError
        If they are not.
    """
    file, where = FILES[name], f"{', '.join(name)} as {color_mode}, {dtype}"
    try:
        made = decode(file.data, "a", color_mode, dtype)
    except DecodeError as error:
        return error.reason
    wanted: npt.NDArray[Any] | None = expected_array(name, color_mode, dtype)
    if wanted is None:
        raise WrongPixelsError(f"{where}: expected a refusal")
    # Grey is rounded in one way by each library.
    within = file.within + (2 << file.bits - 8 if color_mode == "grayscale" else 0)
    if made.shape != wanted.shape or made.dtype != wanted.dtype:
        raise WrongPixelsError(f"{where}: {made.shape} of {made.dtype}")
    if np.abs(made.astype(np.int64) - wanted).max() > within:
        raise WrongPixelsError(f"{where}: other pixels")
    return None


def expected_array(name: tuple[str, str], color_mode: str, dtype: str) -> npt.NDArray[Any] | None:
    """What has to come out, shape (height, width, channels); None if nothing may."""
    file = FILES[name]
    if color_mode == "classes":
        numbers = classes(name)
        return None if numbers is None else numbers.astype(dtype)[:, :, np.newaxis]
    if file.pixels.dtype not in (np.uint8, np.uint16):
        return None
    return expected(file, color_mode, dtype)


def row(name: tuple[str, str]) -> str:
    """The row of a file: what each mode does with it, and why it is refused where it is."""
    cells, reasons = [], {}
    for mode in MODES:
        reason = {dtype: outcome(name, mode, dtype) for dtype in DTYPES}
        refused = [dtype for dtype in DTYPES if reason[dtype] is not None]
        cells.append({0: "right", 2: "refused"}.get(len(refused)) or f"refused as `{refused[0]}`")
        if mode != "classes":
            reasons |= {_short(text): None for text in reason.values() if text}
    return f"| {name[0]} | {name[1]} | {' | '.join(cells)} | {'; '.join(reasons)} |"


def _short(reason: str) -> str:
    """A refusal without its remedy, and without what all of them begin with."""
    text = re.sub(r"^is an? (\S+ )?(2000 |HDR |raster )?file,? ?", "", reason.partition(":")[0])
    return text.replace("that OpenCV cannot decode", "not decoded by OpenCV")


def table() -> str:
    """The whole table, in Markdown."""
    head = "| format | stored as | `grayscale` | `rgb` | `rgba` | as a mask | pictures are refused because |"
    return "\n".join([head, "|" + " --- |" * 7, *map(row, FILES), ""])


def main() -> None:
    """Put it into its place."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(START)
    PAGE.write_text(before + START + table() + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
