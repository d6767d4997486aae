"""What each declaration of `common.transforms` does to pixels. `compose` is the way in."""

from producer.transforms.composition import Composition, compose
from producer.transforms.geometry import Action
from producer.transforms.pipeline import Pipeline

__all__ = ["Action", "Composition", "Pipeline", "compose"]
