"""What each declaration of `common.transforms` does to pixels. `Pipeline` is the way in."""

from producer.transforms.geometry import Action
from producer.transforms.pipeline import Pipeline

__all__ = ["Action", "Pipeline"]
