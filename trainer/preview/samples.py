"""Samples of a sequence as panels to draw: what is on disk, what is delivered, what it is called. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.sample.boxes import NO_BOX
from feedline.trainer.preview.shades import Pixels, Shades, planes_of, with_mask

Array = npt.NDArray[Any]
Named = Mapping[str, Array]
"""The arrays of one sample, without the axis of the batch, by the names that producers give them."""

LONGEST = 28
"""Characters of a name in a caption."""

MOST_LABELS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One picture, and what lies on it.

    Attributes
    ----------
    title : str
        What it is.
    picture : ndarray of uint8
        (height, width, 3).
    boxes : ndarray of float32
        (num_boxes, 5), see `feedline.common.sample.boxes`.
    """

    title: str
    picture: Pixels
    boxes: Array


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One sample: its panels, from left to right, and what is written above them."""

    caption: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Kinds:
    """What the arrays of a sequence are.

    Attributes
    ----------
    is_colour : bool
        The channels of ``x`` are colours.
    hounsfield : bool
        ``x`` is in Hounsfield units.
    channel_names : sequence of str
        What the channels are called, if they are no colours: windows of a CT.
    class_names : sequence of str or None
        In the order of their indices.
    """

    is_colour: bool
    hounsfield: bool
    channel_names: Sequence[str]
    class_names: Sequence[str] | None


def panels_of(sample: Named, title: str, shades: Mapping[str, Shades], kinds: Kinds) -> list[Panel]:
    """The panels of one sample, on disk or delivered.

    Parameters
    ----------
    sample : mapping of str to ndarray
        ``x`` and what goes with it.
    title : str
        Of the first.
    shades : mapping of str to Shades
        For each of the images.
    kinds : Kinds
        What they are.
    """
    boxes = sample.get("boxes", np.empty((0, 5), np.float32))
    there = boxes[boxes[:, 4] != NO_BOX] if len(boxes) else boxes
    masks = [array for name, array in sample.items() if name.startswith("mask")]
    planes = planes_of(shades["x"].pixels(sample["x"]), is_colour=kinds.is_colour)
    panels = []
    for place, plane in enumerate(planes):
        picture = plane
        for mask in masks:
            picture = with_mask(picture, mask)
        name = kinds.channel_names[place] if place < len(kinds.channel_names) and len(planes) > 1 else ""
        panels.append(Panel(", ".join(filter(None, (title, name))), picture, there))
    for name, array in sample.items():
        if name in shades and name != "x":
            of_colour = array.shape[2] in (3, 4) and kinds.is_colour
            further = planes_of(shades[name].pixels(array), is_colour=of_colour)
            panels += [Panel(f"{title}, {name}", plane, there[:0]) for plane in further]
    return panels


def caption_of(name: str, sample: Named, kinds: Kinds) -> str:
    """The file of a sample, and its labels in words."""
    labels = [array for key, array in sample.items() if key == "y" or (key[0] == "y" and key[1:].isdigit())]
    words = [label_in_words(array, kinds.class_names) for array in labels]
    weight = [f"weight {float(sample['weight']):.3g}"] if "weight" in sample else []
    short = name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"
    return "\n".join([", ".join([*words, *weight]), short]) if words or weight else short


def label_in_words(label: Array, class_names: Sequence[str] | None) -> str:
    """A label by the names of its classes, if it is one or several of them, else its numbers."""
    values = np.atleast_1d(label)
    if class_names is not None and values.shape == (len(class_names),) and len(values) > 1:
        certain = [(name, value) for name, value in zip(class_names, values.tolist(), strict=True) if value]
        shown = [name if value == 1 else f"{name} {value:.2g}" for name, value in certain[:MOST_LABELS]]
        return ", ".join(shown + ["…"] * (len(certain) > MOST_LABELS)) or "none"
    if class_names is not None and values.shape == (1,) and float(values[0]).is_integer():
        place = int(values[0])
        if 0 <= place < len(class_names):
            return class_names[place]
    flat = values.ravel()
    numbers = [f"{value:.3g}" for value in flat[:MOST_LABELS].tolist()]
    return ", ".join(numbers + ["…"] * (len(flat) > MOST_LABELS))
