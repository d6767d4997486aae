"""`ImageDataset.split`: some samples of a dataset are held out for validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.errors import ConfigurationError
from trainer.columns import column_named
from trainer.splits import SplitRequest, by_class, by_group, by_sample, class_codes

if TYPE_CHECKING:
    from trainer.dataset import ImageDataset


def split(
    dataset: ImageDataset,
    validation_split: float,
    seed: int = 0,
    *,
    group_col: str | None = None,
    stratify: bool = False,
) -> tuple[ImageDataset, ImageDataset]:
    """Hold samples out for validation.

    Every sample is in exactly one of the two, in dataset order; equal arguments split equally for ever.

    Parameters
    ----------
    validation_split : float
        Share of the samples to hold out, strictly between 0 and 1, rounded down as Keras does.
    seed : int
        Which samples are drawn.
    group_col : str, optional
        Column whose equal values (slices of one patient) stay together, and shift the share a little.
    stratify : bool
        Hold out the same share of each class. Not with `group_col`: a group may have several.

    Returns
    -------
    train, validation : ImageDataset

    Raises
    ------
    DatasetError, ConfigurationError
        If a side would be empty or there is no such column; if the arguments do not go together.

    Examples
    --------
    >>> data = ImageDataset.from_lists([f"{i}.png" for i in range(10)])
    >>> [len(side) for side in data.split(0.2, seed=7)]
    [8, 2]
    """
    if group_col is not None and stratify:
        raise ConfigurationError("group_col and stratify=True cannot be combined: choose one")
    request = SplitRequest(validation_split, seed, len(dataset))
    if group_col is not None:
        held_out = by_group(request, column_named(group_col, dataset.columns))
    elif stratify:
        held_out = by_class(request, class_codes(dataset.targets))
    else:
        held_out = by_sample(request)
    return dataset.subset(~held_out), dataset.subset(held_out)
