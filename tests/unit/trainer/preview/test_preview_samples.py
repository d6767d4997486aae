"""Samples as panels: captions say what labels mean, boxes and masks lie on what they are of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.text import Text

from feedline.trainer.preview.picture import draw, save
from feedline.trainer.preview.samples import Kinds, Panel, Shown, caption_of, label_in_words, panels_of
from feedline.trainer.preview.shades import Shades

COLOUR = Kinds(is_colour=True, hounsfield=False, channel_names=(), class_names=["cat", "dog", "emu"])
WINDOWS = Kinds(is_colour=False, hounsfield=False, channel_names=["brain", "bone"], class_names=None)
AS_THEY_ARE = {"x": Shades(0, 255), "x1": Shades(0, 255)}


@pytest.mark.parametrize(
    ("label", "names", "expected"),
    [
        (1, ["cat", "dog"], "dog"),
        ([0.0, 1.0], ["cat", "dog"], "dog"),
        ([1.0, 1.0], ["cat", "dog"], "cat, dog"),
        ([0.3, 0.7], ["cat", "dog"], "cat 0.3, dog 0.7"),
        ([0, 0], ["cat", "dog"], "none"),
        ([1.0] * 6, list("abcdef"), "a, b, c, d, …"),
        (7, ["cat", "dog"], "7"),
        (0.25, None, "0.25"),
        ([1, 2, 3, 4, 5], None, "1, 2, 3, 4, …"),
    ],
)
def test_a_label_is_said_by_its_classes_or_its_numbers(label: Any, names: Any, expected: str) -> None:
    assert label_in_words(np.asarray(label), names) == expected


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        (os.fsdecode(b"caf\xe9.png"), r"caf\udce9.png"),
        ("a\x1b[2J.png", r"a\x1b[2J.png"),
        (r"a$\frac$.png", r"a$\frac$.png"),
    ],
)
def test_a_name_that_is_no_text_or_looks_like_a_formula_is_drawn(
    name: str, drawn: str, tmp_path: Path
) -> None:
    """Wherever it stands: as a file, a class, a window, in the heading."""
    boxes = np.array([[0, 0, 4, 4, 0]], np.float32)
    sample = Shown(name, (Panel(name, np.zeros((8, 8, 3), np.uint8), boxes),))
    figure = draw([sample], name, [name])
    texts = [text for one in figure.findobj(Text) if (text := one.get_text())]
    assert set(texts) == {drawn}
    assert len(texts) >= 4
    save(figure, tmp_path / "out.png")
    assert cv2.imread(str(tmp_path / "out.png")).std() > 0


def test_a_caption_has_labels_weight_and_the_end_of_a_long_name() -> None:
    sample = {"x": np.zeros((1, 1, 3)), "y": np.array(2), "weight": np.float32(0.5)}
    assert caption_of("a" * 40 + ".png", sample, COLOUR) == f"emu, weight 0.5\n…{'a' * 23}.png"
    assert caption_of("a.png", {"x": sample["x"]}, COLOUR) == "a.png"


def test_windows_have_a_panel_each_with_its_name_and_boxes_on_all_of_them() -> None:
    boxes = np.array([[0, 0, 1, 1, 2], [-1, -1, -1, -1, -1]], np.float32)
    panels = panels_of({"x": np.zeros((2, 2, 2), np.uint8), "boxes": boxes}, "on disk", AS_THEY_ARE, WINDOWS)
    assert [panel.title for panel in panels] == ["on disk, brain", "on disk, bone"]
    assert [panel.boxes.tolist() for panel in panels] == [[[0, 0, 1, 1, 2]]] * 2


def test_masks_lie_on_the_image_and_further_inputs_beside_it() -> None:
    sample = {
        "x": np.zeros((1, 2, 3), np.uint8),
        "x1": np.full((1, 1, 1), 9, np.uint8),
        "mask0": np.array([[[0], [1]]], np.uint8),
    }
    first, second = panels_of(sample, "delivered", AS_THEY_ARE, COLOUR)
    assert first.picture[0, 0].tolist() == [0, 0, 0]
    assert first.picture[0, 1].any()
    assert (second.title, second.picture.tolist()) == ("delivered, x1", [[[9, 9, 9]]])
