"""Keras callbacks of Feedline's own: see docs/resuming.md and docs/monitoring.md."""

from feedline.trainer.callbacks import FeedMonitor, SetEpoch

__all__ = ["FeedMonitor", "SetEpoch"]
