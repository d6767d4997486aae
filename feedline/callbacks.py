"""Keras callbacks of Feedline's own: see docs/resuming.md and docs/monitoring.md."""

from feedline.trainer.feed_monitor import FeedMonitor
from feedline.trainer.resuming.callback import ResumeTraining
from feedline.trainer.resuming.set_epoch import SetEpoch

__all__ = ["FeedMonitor", "ResumeTraining", "SetEpoch"]
