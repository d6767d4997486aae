"""Keras callbacks of Feedline's own: see docs/resuming.md."""

from feedline.trainer.resuming.callback import ResumeTraining
from feedline.trainer.resuming.set_epoch import SetEpoch

__all__ = ["ResumeTraining", "SetEpoch"]
