"""The RSNA intracranial haemorrhage competition: its loss, prediction with augmentation, its submission file.

The labels are read by `ImageDataset.from_rsna_csv`; docs/rsna.md goes the whole way.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from feedline.common.declarations.base import Transform
from feedline.common.errors import ConfigurationError
from feedline.common.signatures import suggests
from feedline.trainer.datasets.rsna_csv import HEADER, IMAGE_ID, SUBTYPES
from feedline.trainer.sequences.batch_sequence import BatchSequence

__all__ = ["SUBTYPES", "SUBTYPE_WEIGHTS", "predict_tta", "weighted_log_loss", "write_submission"]

SUBTYPE_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 1.0, 2.0)
"""What each of `SUBTYPES` counts in the competition's metric: "any" twice."""

CLIP = 1e-7
"""The competition's metric keeps probabilities so far from 0 and 1, where the logarithm ends."""

_SLACK = 1e-6
"""A mean of probabilities may be rounded to so much more than 1."""


@keras.saving.register_keras_serializable(package="feedline")  # type: ignore[untyped-decorator]  # Keras has no types
def weighted_log_loss(y_true: Any, y_pred: Any) -> Any:
    """The competition's metric, as a loss and as a metric of ``compile``.

    The weighted mean over the subtypes of the binary log loss,
    ``sum_k w_k * -(y_k * log(p_k) + (1 - y_k) * log(1 - p_k)) / sum_k w_k``, with `SUBTYPE_WEIGHTS`; Keras
    takes the mean over images. See "Evaluation" at
    https://www.kaggle.com/c/rsna-intracranial-hemorrhage-detection.

    Parameters
    ----------
    y_true : tensor
        Labels 0 or 1, shape (batch, 6), in the order of `SUBTYPES`.
    y_pred : tensor
        Probabilities, shape (batch, 6): what a sigmoid gives, no logits.

    Returns
    -------
    tensor of float32, shape (batch,)

    Raises
    ------
    ConfigurationError
        If the last axis does not have the six subtypes.
    """
    if y_pred.shape[-1] != len(SUBTYPES):
        raise ConfigurationError(
            f"weighted_log_loss needs one probability for each of {', '.join(SUBTYPES)}: expected shape "
            f"(batch, {len(SUBTYPES)}), got {tuple(y_pred.shape)}"
        )
    labels, present = keras.ops.cast(y_true, "float32"), keras.ops.cast(y_pred, "float32")
    losses = -labels * _clipped_log(present) - (1.0 - labels) * _clipped_log(1.0 - present)
    weights = keras.ops.convert_to_tensor(SUBTYPE_WEIGHTS, "float32")
    return keras.ops.sum(losses * weights, axis=-1) / sum(SUBTYPE_WEIGHTS)


def _clipped_log(probability: Any) -> Any:
    """Clip from below alone: 1 - 1e-7 is no float32, and its neighbours are a percent of the loss away."""
    return keras.ops.log(keras.ops.clip(probability, CLIP, 1.0))


@suggests()
def predict_tta(
    model: Any, sequence: BatchSequence, transforms: Iterable[Transform | Sequence[Transform]]
) -> Any:
    """Predict a dataset several times, augmented differently, and take the mean: test-time augmentation.

    Parameters
    ----------
    model : keras.Model
        What predicts.
    sequence : BatchSequence
        Its dataset is predicted with its options, but unshuffled, complete and without a sampler. It may be
        in use: views of it are made.
    transforms : iterable
        One entry for each pass, a transform or a list of them, *instead of* the sequence's own; an empty
        list is the image as it is. Random ones draw otherwise in each pass, and equally in each call.

    Returns
    -------
    ndarray, or the structure of them that ``model.predict`` returns
        Means over the passes, in the order of ``sequence.dataset``: row i is ``dataset.filenames[i]``.

    Raises
    ------
    ConfigurationError
        If there is no pass, or an entry is no transform.

    Examples
    --------
    >>> predict_tta(model, sequence, [[], Flip("horizontal")])  # doctest: +SKIP
    """
    if not isinstance(transforms, Iterable):
        raise ConfigurationError(
            f"predict_tta needs a list with one entry for each pass, such as [[], Flip()]; got {transforms!r}"
        )
    passes = [_as_list(entry) for entry in transforms]
    if not passes:
        raise ConfigurationError("predict_tta needs at least one pass: [[]] predicts the images as they are")
    predictions = [_predict(model, sequence, entry, seed) for seed, entry in enumerate(passes)]
    return keras.tree.map_structure(lambda *outputs: np.mean(outputs, axis=0), *predictions)


def _as_list(entry: Any) -> list[Transform]:
    listed = [entry] if isinstance(entry, Transform) else entry
    if not isinstance(listed, list | tuple) or not all(isinstance(one, Transform) for one in listed):
        raise ConfigurationError(f"an entry of predict_tta must be a transform or a list, got {entry!r}")
    return list(listed)


def _predict(model: Any, sequence: BatchSequence, transforms: list[Transform], seed: int) -> Any:
    changes = {"shuffle": False, "drop_remainder": False, "sampler": None, "seed": seed}
    with sequence.with_options(transforms=transforms, **changes) as view:
        return model.predict(view, verbose=0)


@suggests()
def write_submission(
    path: str | os.PathLike[str],
    ids: Iterable[str],
    predictions: npt.ArrayLike,
    class_names: Sequence[str] = SUBTYPES,
) -> None:
    """Write predictions as the competition wants them: ``ID,Label``, then six rows an image.

    Nothing is written unless all of it can be.

    Parameters
    ----------
    path : path
        The file, overwritten if it is there.
    ids : iterable of str
        Image IDs, ``ID_<hex>``, each once: ``dataset.columns["image"]``.
    predictions : array-like
        Probabilities, shape (N, 6), in the order of `ids`; clipped to `CLIP` from 0 and 1.
    class_names : sequence of str
        The six subtypes in the order of the columns of `predictions`. Rows are always written in that of
        `SUBTYPES`.

    Raises
    ------
    ConfigurationError
        If IDs, shape, values or subtypes are not as they must be; names the first that is not.
    """
    names = _checked_ids(ids)
    probabilities = _checked(np.asarray(predictions, np.float64), names, _order(class_names))
    rows = (
        f"{name}_{subtype},{probability:.7f}\n"
        for name, values in zip(names, probabilities.tolist(), strict=True)
        for subtype, probability in zip(SUBTYPES, values, strict=True)
    )
    with Path(path).open("w", encoding="ascii") as file:
        file.write(f"{HEADER}\n")
        file.writelines(rows)


def _checked_ids(ids: Iterable[str]) -> list[str]:
    names = list(ids)
    if not names:
        raise ConfigurationError("a submission needs at least one image ID, got none")
    for name in names:
        if not re.fullmatch(IMAGE_ID, name):
            raise ConfigurationError(f"ids must be image IDs such as 'ID_12cadc6af', got {name!r}")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise ConfigurationError(
            f"{name!r} is {times} times in ids: predict each image once, without a sampler"
        )
    return names


def _order(class_names: Sequence[str]) -> list[int]:
    """Where each of `SUBTYPES` stands in `class_names`."""
    names = list(class_names)
    if sorted(names) != sorted(SUBTYPES):
        raise ConfigurationError(f"class_names must have each of {list(SUBTYPES)} once, got {names}")
    return [names.index(subtype) for subtype in SUBTYPES]


def _checked(values: npt.NDArray[np.float64], names: list[str], order: list[int]) -> npt.NDArray[np.float64]:
    """The values in the order of `SUBTYPES`, clipped; ConfigurationError if they are no probabilities."""
    if values.shape != (len(names), len(SUBTYPES)):
        raise ConfigurationError(
            f"predictions of {len(names):,} images must have shape ({len(names)}, {len(SUBTYPES)}), "
            f"got {values.shape}"
        )
    ordered = values[:, order]
    bad = np.argwhere(~((ordered >= -_SLACK) & (ordered <= 1 + _SLACK)))
    if bad.size:
        image, subtype = bad[0]
        raise ConfigurationError(
            f"the prediction of {names[image]}_{SUBTYPES[subtype]} is {ordered[image, subtype]}: expected a "
            "probability in [0, 1], such as a sigmoid gives"
        )
    return np.clip(ordered, CLIP, 1 - CLIP)
