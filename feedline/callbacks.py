"""Keras callbacks of Feedline's own: see docs/resuming.md."""

from feedline.trainer.callbacks import SetEpoch

__all__ = ["SetEpoch"]
