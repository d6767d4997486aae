"""What is made of files that could not be used, in processes of their own."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from feedline.trainer.monitor import thumbnails
from feedline.trainer.monitor.thumbnails import MAX_KEPT, Thumbnails


def test_a_picture_is_made_once_and_nothing_is_looked_for_by_a_relative_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(thumbnails, "_made", lambda path: made.append(path) or b"png")
    kept = Thumbnails()
    assert [kept.of(f"{tmp_path}/a.jpg"), kept.of(f"{tmp_path}/a.jpg"), kept.of("a.jpg")] == [
        b"png",
        b"png",
        b"",
    ]
    assert made == [f"{tmp_path}/a.jpg"]
    for nth in range(MAX_KEPT):
        kept.of(f"{tmp_path}/{nth}.jpg")
    kept.of(f"{tmp_path}/a.jpg")
    assert len(made) == MAX_KEPT + 2, "the oldest is forgotten"


def test_what_is_no_picture_is_never_waited_for_nor_takes_all_memory(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "words.png").write_text("no picture")
    huge = np.zeros((1, 1, 3), np.uint8)
    header = bytearray(cv2.imencode(".bmp", huge)[1])
    header[18:26] = np.array([60_000, 60_000], "<i4").tobytes()
    (tmp_path / "huge.bmp").write_bytes(header)
    for name in ("pipe", "words.png", "huge.bmp", "not there"):
        assert Thumbnails().of(f"{tmp_path}/{name}") == b""
    assert Thumbnails().of(f"{tmp_path}/nul\0") == b""
