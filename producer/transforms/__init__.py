"""What declarations of `feedline.transforms` do, made ready for a job. `compose` is the way in.

All files in which functions enter themselves into `registry` are imported here.
"""

from feedline.producer.transforms import calls, choosing, functions
from feedline.producer.transforms.composition import Composition, compose
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.pipeline import Pipeline

__all__ = ["Action", "Composition", "Pipeline", "calls", "choosing", "compose", "functions"]
