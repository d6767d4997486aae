"""`ResumeTraining`: a ``fit`` that goes on when its script is run again."""

from __future__ import annotations

import logging
import os
from dataclasses import astuple, replace
from datetime import timedelta
from typing import Any

import keras

from feedline.common.errors import ConfigurationError
from feedline.trainer.resuming.course import Position
from feedline.trainer.resuming.folder import Kept, TrainingFolder, as_json
from feedline.trainer.resuming.generators import draw_on, drawn_so_far
from feedline.trainer.resuming.keepable import remembered, remind
from feedline.trainer.resuming.pace import Pace
from feedline.trainer.resuming.running import RunningFit
from feedline.trainer.resuming.set_epoch import SetEpoch
from feedline.trainer.resuming.variables import gathered, restore_metrics, restore_model

logger = logging.getLogger(__name__)


class ResumeTraining(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Keeps a training in a folder, and goes on with the one that is there.

    Run the same script again, whatever ended it, and the training goes on as if nothing had happened, also
    in the middle of an epoch: weights, optimizer, random generators, metrics, what Keras' callbacks remember,
    Keras' epoch and the sequence's place are one file, which is replaced as a whole. What was trained after
    it was last saved is trained again, with the same batches. docs/resuming.md says what is promised, and
    what is not.

    Parameters
    ----------
    path : path
        The folder; made if it is not there. Each ``fit`` has one of its own.
    save_every : int, timedelta or "epoch"
        Save after so many batches, after such a time, or after each epoch of Keras.

    Raises
    ------
    ConfigurationError
        `save_every` cannot work. When training begins: the folder cannot be written to or has a damaged file,
        what is kept there is of another model, data set or job, or ``fit`` trains on something else than a
        `BatchSequence` or `RemoteSequence`, or in an order that it draws itself.

    Notes
    -----
    Of several ranks (`shard_index`) the first one writes, and all read. If the file cannot be written midway,
    as when the disk is full, a warning says so, the training goes on, and the file before stays.

    Examples
    --------
    >>> model.fit(train, epochs=10, callbacks=[ResumeTraining("run", save_every=500)])  # doctest: +SKIP
    """

    def __init__(self, path: str | os.PathLike[str], save_every: int | timedelta | str = "epoch") -> None:
        super().__init__()
        self._folder = TrainingFolder(path)
        self._pace = Pace(save_every)

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Look at what is kept, and go last from here on: whatever other callbacks do is then kept, too."""
        fit = RunningFit.around(self.model)
        _refuse_a_second_guide(fit.others)
        if fit.sequence.shard_index == 0:
            self._folder.prepare()
        fit.add(_Keeper(fit, self._folder, self._pace))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Nothing: where callbacks have this method Keras calls them at once, and not some time later."""


class _Keeper(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Restores and saves for one ``fit``, after all other callbacks.

    Parameters
    ----------
    fit : RunningFit
        Whose callbacks it belongs to.
    folder : TrainingFolder
        Where it is kept.
    pace : Pace
        How often.
    """

    def __init__(self, fit: RunningFit, folder: TrainingFolder, pace: Pace) -> None:
        super().__init__()
        self._fit, self._folder, self._pace = fit, folder, pace
        self._kept: Kept | None = None
        self._has_begun = self._has_trained = self._is_cut_short = False
        self._at = self._begun = Position(0, 0, *fit.sequence.next_step)

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Go back to what is kept."""
        self._check_callbacks()
        self._pace.saved()
        kept = self._kept = self._folder.read()
        if kept is None:
            return
        self._fit.sequence.load_state_dict(kept.plain["sequence"])
        self._fit.build()
        restore_model(self.model, kept.arrays)
        restore_metrics(self.model, kept.arrays)
        remind(self._fit.others, kept.plain["callbacks"], kept.arrays)
        draw_on(kept.plain["generators"], kept.arrays)
        self._at = Position(*kept.plain["position"])
        self._begin_with(self._at.keras_epoch, stopped=kept.plain["stopped"])

    def _check_callbacks(self) -> None:
        """Refuse those whose state could not be written when it is to be."""
        plain, _ = remembered(self._fit.others)
        for name, state in plain.items():
            try:
                as_json(state)
            except TypeError as error:
                raise ConfigurationError(f"the callback {name} cannot be kept: {error}") from error

    def _begin_with(self, keras_epoch: int, *, stopped: bool) -> None:
        """Tell Keras its first epoch; of a training that is over it has none."""
        last = self.params["epochs"]
        if stopped or keras_epoch >= last:
            more = "" if stopped else ", or raise epochs= to go on"
            logger.warning(
                f"the training in {self._folder.path} ended after {keras_epoch} epochs, and nothing is left"
                f" to train: delete the folder to train anew{more}"
            )
        self._fit.begin_with_epoch(last if stopped else keras_epoch)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Before the first batch of a Keras epoch is asked for."""
        if not self._has_begun:
            self._begin_fit(epoch)
        elif self._fit.course.begins(self._at):
            self._fit.begin_sweep(self._at)
        self._begun = self._at

    def _begin_fit(self, epoch: int) -> None:
        self._has_begun = True
        self._fit.begin_with_epoch(None)
        if self._kept is None:
            self._at = replace(self._at, keras_epoch=epoch)
        elif epoch != self._at.keras_epoch:
            raise ConfigurationError(
                f"fit begins with epoch {epoch}, and the training in {self._folder.path} is at epoch"
                f" {self._at.keras_epoch}: leave out initial_epoch=, or give ResumeTraining another folder"
            )
        elif self._at.keras_step:
            # Keras has just reset them.
            restore_metrics(self.model, self._kept.arrays)
        self._fit.begin_sweep(self._at)
        self._fit.begin_midway(self._at)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Undo what was drawn when Keras began a sweep midway: torch draws then."""
        if self._kept is not None and self._at.step:
            draw_on(self._kept.plain["generators"], self._kept.arrays)
        self._kept = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """The batch is trained, and now it counts."""
        before, course = self._at, self._fit.course
        self._at = course.after_batch(self._begun, batch)
        self._has_trained = True
        self._fit.sequence.commit(self._at.epoch, self._at.step)
        self._pace.trained(self._at.step - before.step)
        # After the last batch of an epoch Keras wants its logs, and validates: kept when that is done.
        self._is_cut_short = bool(self.model.stop_training)
        is_over = course.is_over(self._begun, self._at)
        if is_over and self._is_cut_short:
            # Keras may as well end the epoch as it always does: on torch it draws then.
            self.model.stop_training = False
        if not is_over and (self._pace.is_due or self._is_cut_short):
            self._save()

    def on_test_end(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Validated: who wants to stop by now does so for another reason than how good the model is."""
        self._is_cut_short = self._is_cut_short or bool(self.model.stop_training)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """The epoch is trained and validated, or Keras was told to stop in its midst."""
        course = self._fit.course
        if not course.is_over(self._begun, self._at):
            # What was kept then goes on there. Since then callbacks have heard that the epoch was over.
            self._is_cut_short = True
            return
        self._at = course.after_epoch(self._at)
        self._fit.sequence.commit(self._at.epoch, self._at.step)
        if self._is_cut_short:
            self.model.stop_training = True
        if self.model.stop_training or self._pace.is_due_at_end:
            self._save()

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Nothing is left to train: what is kept is what the script goes on with.

        Unless it was cut short: weights may be the best ones by now, and no more those that go on.
        """
        self._fit.begin_with_epoch(None)
        if self._has_trained and not self._is_cut_short:
            self._save()
        self._fit.remove(self)
        self._folder.release()

    @property
    def _is_ended(self) -> bool:
        """Whether a callback ended the training when an epoch was judged, as `EarlyStopping` does.

        Whoever says so before, such as a limit of time, wants to go on.
        """
        return bool(self.model.stop_training) and not self._is_cut_short

    def _save(self) -> None:
        """Gather all of it, on every rank, and have the first write it."""
        of_callbacks, further = remembered(self._fit.others)
        of_generators, states = drawn_so_far()
        plain = {
            "position": astuple(self._at),
            "sequence": self._fit.sequence.state_dict(),
            "callbacks": of_callbacks,
            "generators": of_generators,
            "stopped": self._is_ended,
        }
        kept = Kept(plain, further | states | gathered(self.model))
        self._pace.saved()
        if self._fit.sequence.shard_index == 0:
            self._write(kept)

    def _write(self, kept: Kept) -> None:
        try:
            self._folder.write(kept)
        except (OSError, TypeError) as error:
            logger.warning(f"the training goes on, but was not kept in {self._folder.path}: {error}")


def _refuse_a_second_guide(callbacks: list[Any]) -> None:
    guides = (ResumeTraining, SetEpoch, keras.callbacks.BackupAndRestore)
    found = [type(one).__name__ for one in callbacks if isinstance(one, guides)]
    if len(found) > 1:
        raise ConfigurationError(
            f"each says with which epoch fit begins, {' and '.join(found)}: leave out all but one"
        )
