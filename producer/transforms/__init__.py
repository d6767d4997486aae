"""What each declaration of `feedline.transforms` does to pixels. `compose` is the way in."""

from feedline.producer.transforms.composition import Composition, compose
from feedline.producer.transforms.geometry import Action
from feedline.producer.transforms.pipeline import Pipeline

__all__ = ["Action", "Composition", "Pipeline", "compose"]
