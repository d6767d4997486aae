"""Predictions with the IDs they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError
from feedline.trainer.legacy.generator import DataGenerator

if TYPE_CHECKING:
    import pandas as pd


def predictions_frame(
    generator: DataGenerator, predictions: npt.ArrayLike, columns: Sequence[Any] | None = None
) -> pd.DataFrame:
    """Put the rows of `predict_generator` into a DataFrame indexed by ID; those of bad samples are NaN.

    Parameters
    ----------
    generator : DataGenerator
        What was predicted.
    predictions : array-like
        Shape (num_samples,) or (num_samples, num_columns), in the order of ``generator.list_IDs``; with
        ``steps=`` there may be fewer rows, of the first IDs.
    columns : sequence, optional
        Names; by default those of the generator's labels, if they are a frame of as many columns.

    Raises
    ------
    ConfigurationError
        There are more rows than IDs, or another number of columns than names.
    """
    import pandas as pd  # noqa: PLC0415 - a script without frames need not wait for it

    rows = np.asarray(predictions)
    rows = rows[:, np.newaxis] if rows.ndim == 1 else rows
    if rows.ndim != 2 or len(rows) > len(generator.list_IDs):
        raise ConfigurationError(
            f"expected one row for each of {len(generator.list_IDs):,} IDs at most, got shape {rows.shape}"
        )
    if columns is None and len(generator.label_columns or ()) == rows.shape[1]:
        columns = generator.label_columns
    if columns is not None and len(columns) != rows.shape[1]:
        raise ConfigurationError(f"got {len(columns)} names for {rows.shape[1]} columns: {list(columns)}")
    bad = generator.bad_rows[generator.bad_rows < len(rows)]
    if bad.size:
        # What a model says of zeros is no prediction.
        rows = rows.astype(np.result_type(rows, np.float32))
        rows[bad] = np.nan
    index = pd.Index(generator.list_IDs[: len(rows)], name="ID")
    return pd.DataFrame(rows, index=index, columns=None if columns is None else pd.Index(columns))
