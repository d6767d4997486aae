"""What can be seen of bad files: made by a process of its own, one at a time, and kept."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from feedline.trainer.monitor import thumbnail, thumbnails
from feedline.trainer.monitor.glimpses import SIDE
from feedline.trainer.monitor.mending import mended
from feedline.trainer.monitor.thumbnails import BusyError, Thumbnails

SIZE = (300, 400)


def picture() -> npt.NDArray[np.uint8]:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def encoded(extension: str) -> bytes:
    return bytes(cv2.imencode(extension, picture())[1])


def decoded(png: bytes | None) -> npt.NDArray[np.int16]:
    assert png is not None
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.int16)


def seen(folder: Path, data: bytes) -> bytes | None:
    """What a file with these bytes looks like."""
    (folder / "one").write_bytes(data)
    return thumbnail.thumbnail(os.fsencode(folder / "one"))


def expected() -> npt.NDArray[np.int16]:
    small = cv2.resize(picture(), (SIDE, round(SIDE * SIZE[0] / SIZE[1])), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.int16)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp", ".bmp", ".gif", ".tiff", ".jp2", ".ppm"])
def test_a_whole_picture_is_shown_small(extension: str, tmp_path: Path) -> None:
    pixels = decoded(seen(tmp_path, encoded(extension)))
    assert pixels.shape == expected().shape
    assert np.abs(pixels - expected()).mean() < 4


@pytest.mark.parametrize("extension", [".jpg", ".png", ".ppm"])
def test_of_one_that_is_cut_off_the_upper_part_is_shown(extension: str, tmp_path: Path) -> None:
    data = encoded(extension)
    pixels = decoded(seen(tmp_path, data[: len(data) // 2]))
    assert pixels.shape == expected().shape
    apart = np.abs(pixels - expected()).mean((1, 2))
    assert apart[:30].max() < 4
    assert apart[-30:].min() > 20


def test_of_a_bitmap_which_begins_below_the_lower_part_is_shown(tmp_path: Path) -> None:
    data = encoded(".bmp")
    apart = np.abs(decoded(seen(tmp_path, data[: len(data) // 2])) - expected()).mean((1, 2))
    assert apart[-30:].max() < 1


def test_of_a_png_with_a_wrong_byte_what_comes_before_it_is_shown(tmp_path: Path) -> None:
    data = bytearray(encoded(".png"))
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    apart = np.abs(decoded(seen(tmp_path, bytes(data))) - expected()).mean((1, 2))
    assert apart[:30].max() < 1


@pytest.mark.exhaustive
def test_a_png_is_mended_as_far_as_its_rows_go() -> None:
    data = encoded(".png")
    assert decoded(mended(data, SIZE)).tolist() == decoded(data).tolist()
    half = decoded(mended(data[: len(data) // 2], SIZE))
    assert half[:100].tolist() == decoded(data)[:100].tolist()
    assert half[-100:].max() == 0


def test_an_interlaced_png_is_mended_too() -> None:
    # Colours of one bit and one channel, 8 x 8, interlaced: all rows are white.
    header = (8).to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 1])
    data = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR" + header + bytes(4)
    assert decoded(mended(data, (8, 8))).shape == (8, 8, 3)


def test_what_nobody_knows_how_to_mend_stays_as_it_is() -> None:
    assert mended(b"II*\0", (1, 1)) == b"II*\0"


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture, but words\n", b"<html></html>", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"],
    ids=["empty", "words", "html", "jpeg", "png", "bmp"],
)
def test_what_is_no_picture_is_not_shown(data: bytes, tmp_path: Path) -> None:
    assert seen(tmp_path, data) is None


def test_a_picture_that_says_that_it_is_huge_is_not_decoded(tmp_path: Path) -> None:
    assert seen(tmp_path, b"P6 100000 100000 255\n") is None


def test_a_small_picture_is_not_made_larger(tmp_path: Path) -> None:
    assert decoded(seen(tmp_path, bytes(cv2.imencode(".png", picture()[:3, :5])[1]))).shape == (3, 5, 3)


def test_a_process_of_its_own_makes_it_without_keras_and_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a b\udcff.jpg"
    path.write_bytes(encoded(".jpg")[:-2000])
    made = Thumbnails()
    png = made.take(str(path))
    assert decoded(png).shape == expected().shape
    path.unlink()
    assert made.take(str(path)) is png
    loaded = "import feedline.trainer.monitor.thumbnail, sys; print({'keras', 'tensorflow'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-P", "-c", loaded], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


@pytest.mark.exhaustive
def test_what_is_not_there_or_no_file_or_under_a_folder_of_others_is_not_shown(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    made = Thumbnails()
    for path in (
        tmp_path / "none.png",
        tmp_path / "pipe",
        tmp_path,
        "a.png",
        f"{tmp_path}/a\0b",
        "/dev/zero",
    ):
        assert made.take(str(path)) is None


FOR_EVER = "import signal; signal.pause()"


def test_a_process_that_crashes_hangs_or_eats_memory_is_no_more_than_a_picture_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restricted = "from feedline.trainer.monitor.thumbnail import restrict; restrict(); "
    started = "import sys; sys.path.append(sys.argv[1]); "
    signature = r"sys.stdout.buffer.write(b'\x89PNG\r\n\x1a\n'); "
    for run in (
        signature + "sys.stdout.flush(); import os; os.abort()",
        restricted + signature + "bytearray(1 << 30)",
        restricted + signature + "sys.stdout.buffer.write(bytes(1 << 21))",
        "print('no picture')",
    ):
        monkeypatch.setattr(thumbnails, "_RUN", started + run)
        assert Thumbnails().take("/a.png") is None, run
    monkeypatch.setattr(thumbnails, "_RUN", started + signature)
    assert Thumbnails().take("/a.png") is not None
    monkeypatch.setattr(thumbnails, "_RUN", FOR_EVER)
    monkeypatch.setattr(thumbnails, "LIMIT_S", 0.2)
    assert Thumbnails().take("/a.png") is None


@pytest.mark.exhaustive
def test_a_decoder_that_never_comes_back_has_no_more_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = (
        "from feedline.trainer.monitor import thumbnail as one; one.CPU_S = 1; one.restrict()\nwhile 1: pass"
    )
    monkeypatch.setattr(thumbnails, "_RUN", f"import sys; sys.path.append(sys.argv[1])\n{loop}")
    monkeypatch.setattr(thumbnails, "LIMIT_S", None)
    assert Thumbnails().take("/a.png") is None


def test_where_less_is_allowed_already_it_stays_so() -> None:
    run = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 1000));"
        "from feedline.trainer.monitor.thumbnail import restrict; restrict();"
        "print(resource.getrlimit(resource.RLIMIT_FSIZE), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    said = subprocess.run([sys.executable, "-P", "-c", run], capture_output=True, text=True, check=True)
    assert said.stdout == "(1000, 1000) (0, 0)\n"


def test_one_is_made_at_a_time_and_the_end_waits_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "_RUN", FOR_EVER)
    monkeypatch.setattr(thumbnails, "LIMIT_S", None)
    made = Thumbnails()
    thread = threading.Thread(target=made.take, args=["/a.png"])
    thread.start()
    until = time.monotonic() + 60
    while made._process is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    with pytest.raises(BusyError):
        made.take("/b.png")
    made.close()
    thread.join(30)
    assert not thread.is_alive()
    assert made.take("/c.png") is None


def test_the_last_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Thumbnails, "_made", lambda _, path: asked.append(path))
    monkeypatch.setattr(thumbnails, "KEPT", 2)
    made = Thumbnails()
    for path in ("/a", "/b", "/a", "/c", "/a", "/b"):
        assert made.take(path) is None
    assert asked == ["/a", "/b", "/c", "/b"]
