"""The arrays of a batch, packed as Keras wants them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from feedline.common.errors import ConfigurationError
from feedline.common.sample.companions import Role
from feedline.trainer.datasets.classes import ordered
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.targets.encoding import put_targets
from feedline.trainer.targets.yolo import YoloTargets

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Packing:
    """How what producers send becomes ``x``, ``(x, y)`` or ``(x, y, weights)``.

    Keras pairs several arrays with a model's inputs and outputs by their place, and where these have names it
    sorts the names first. Only dicts reach the right ones whatever the names are.

    Attributes
    ----------
    dataset : ImageDataset
        Whose samples they are.
    targets : YoloTargets or None
        What its boxes are encoded to.
    input_names, output_names : list of str or None
        Deliver a dict with these keys, one for each input (output), in their order; None: the array, or a
        tuple of several.

    Raises
    ------
    ConfigurationError
        Names that are no list of different texts, or not one for each; quotes them.
    """

    dataset: ImageDataset
    targets: YoloTargets | None
    input_names: Sequence[str] | None
    output_names: Sequence[str] | None

    def __post_init__(self) -> None:
        """Check that there is a name for each, and that columns are not mixed up."""
        data = self.dataset
        for argument, number, columns in (
            ("input_names", self._num_inputs, data.input_columns),
            ("output_names", self._num_outputs, data.output_columns),
        ):
            names = getattr(self, argument)
            if names is not None:
                object.__setattr__(self, argument, _checked(argument, names, number, columns))

    def pack(self, arrays: dict[str, Array]) -> Any:
        """Pack a batch; absent parts are left out."""
        weights = arrays.pop("weight", None)
        inputs = [arrays.pop(name) for name in [*arrays] if name.startswith("x")]
        if self.targets is not None:
            put_targets(self.targets, inputs, arrays)
        outputs = inputs if self.dataset.target_is_input else [*arrays.values()]
        x = _named(inputs, self.input_names)
        if not outputs:
            # Keras would take the second of several inputs for what is to be predicted.
            return (x,) if isinstance(x, tuple) else x
        y = _named(outputs, self.output_names)
        return (x, y) if weights is None else (x, y, weights)

    @property
    def _num_inputs(self) -> int:
        further = sum(images.role is Role.INPUT for images in self.dataset.further)
        return 1 + further + (self._num_grids if self._feeds_targets else 0)

    @property
    def _num_outputs(self) -> int:
        data = self.dataset
        if data.target_is_input:
            return self._num_inputs
        labels = len(data.targets) + sum(images.role is not Role.INPUT for images in data.further)
        if self._feeds_targets:
            return labels or 1  # zeros, since Keras wants something to compare with
        boxes = 1 if self.targets is None else self._num_grids
        return labels + (0 if data.boxes is None else boxes)

    @property
    def _feeds_targets(self) -> bool:
        return self.targets is not None and self.targets.as_inputs

    @property
    def _num_grids(self) -> int:
        return 0 if self.targets is None else len(self.targets.masks)


class ByName:
    """Leaves what producers send as it is."""

    def pack(self, arrays: dict[str, Array]) -> Any:
        """The arrays by their names."""
        return arrays


def _checked(argument: str, names: Any, number: int, columns: Sequence[Any]) -> list[str]:
    listed = [] if isinstance(names, str) or not isinstance(names, Iterable) else ordered(argument, names)
    if len(listed) != number or len(set(listed)) != number or not all(isinstance(n, str) for n in listed):
        raise ConfigurationError(
            f"{argument} must be a list of {number} different names, one for each that the dataset has, in"
            f" their order; got {names!r}"
        )
    if set(listed) == set(columns) and listed != list(columns):
        raise ConfigurationError(
            f"{argument}={listed} are columns that the dataset was made of, but these come in the order"
            f" {list(columns)}: name them in that"
        )
    return listed


def _named(arrays: Sequence[Array], names: Sequence[str] | None) -> Any:
    """A dict, or one as it is, or several as a tuple: a list of targets Keras takes for one of them."""
    if names is not None:
        return dict(zip(names, arrays, strict=True))
    return tuple(arrays) if len(arrays) > 1 else arrays[0]
