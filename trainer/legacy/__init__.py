"""Old scripts: the usual ``DataGenerator``, and Keras 2's three methods for generators.

``from feedline.legacy import DataGenerator, install`` in place of the script's own class, and
``install()`` before its ``model.fit_generator(...)``: see docs/migrating.md.
"""

from feedline.trainer.legacy.calls import evaluate_generator, fit_generator, predict_generator
from feedline.trainer.legacy.generator import DataGenerator
from feedline.trainer.legacy.methods import install, uninstall
from feedline.trainer.legacy.predictions import predictions_frame

__all__ = [
    "DataGenerator",
    "evaluate_generator",
    "fit_generator",
    "install",
    "predict_generator",
    "predictions_frame",
    "uninstall",
]
