"""Every format, way to store, color mode and depth: right or plainly refused, and as documented."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import FILES

sys.path.insert(0, str(Path(__file__).parents[4]))

from docs.figures.make_decoding_table import DTYPES, END, MODES, PAGE, START, outcome, table
from feedline.common.sample.image import ImageSpec, decoded_dtype
from feedline.errors import ConfigurationError, DecodeError
from feedline.producer.reading import decoders
from feedline.producer.reading.decoders import DECODERS, decode, load


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("color_mode", MODES)
@pytest.mark.parametrize("name", FILES, ids=", ".join)
def test_pixels_are_right_or_refused(name: tuple[str, str], color_mode: str, dtype: str) -> None:
    reason = outcome(name, color_mode, dtype)
    assert reason is None or len(reason) > 20


def test_the_page_on_decoding_holds_what_is_made_of_this() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.split(START)[1].split(END)[0] == table(), "run python -m docs.figures.make_decoding_table"


def test_floats_are_made_of_the_same_pixels_and_int16_is_not_for_pictures() -> None:
    assert decoded_dtype("rgb", "float32") == "uint8"
    with pytest.raises(ConfigurationError, match="int16"):
        decoded_dtype("rgb", "int16")


@pytest.mark.parametrize("returned", [(4, 5), (4, 5, 4), (5, 4, 3), (4, 0, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int8])
@pytest.mark.parametrize("name", [name for name in DECODERS if name != "DICOM"])
def test_whatever_a_decoder_returns_is_checked(
    name: Any, returned: tuple[int, ...], dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DECODERS, name, lambda *_: np.zeros(returned, dtype))
    data = next(file.data for (file_format, _), file in FILES.items() if file_format == name)
    monkeypatch.setattr(decoders, "stored_size_of", lambda _: (4, 5))
    with pytest.raises(DecodeError, match=r"was decoded to .* were expected"):
        decode(data, "a", "rgb", "uint8")


@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
@pytest.mark.parametrize("name", FILES, ids=", ".join)
def test_no_memory_is_left_as_it_was(name: tuple[str, str], color_mode: str) -> None:
    spec = ImageSpec(16, 24, color_mode)
    places = [np.full(spec.shape, filling, np.uint8) for filling in (0x5A, 0xA5)]
    for place in places:
        try:
            assert load(FILES[name].data, "a", spec, place) is place
        except DecodeError:
            return
    np.testing.assert_array_equal(*places)
