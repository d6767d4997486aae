"""Crops: which part of an image is kept."""

from __future__ import annotations

from feedline.common.declarations.geometry import CenterCrop, RandomCrop
from feedline.producer.arrays import Draws
from feedline.producer.transforms.registry import window_of


@window_of(RandomCrop, CenterCrop)
def corner(declaration: RandomCrop | CenterCrop, draws: Draws, size: tuple[int, int]) -> tuple[int, int]:
    """(top, left) of the window, in pixels."""
    return declaration.corner(draws, size)
