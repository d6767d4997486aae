"""What boxes of a batch become before Keras gets them; decision 0010 says why that is done here."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError
from feedline.trainer.datasets.table import SampleTable
from feedline.trainer.targets.yolo import YoloTargets

Array = npt.NDArray[Any]


def check_targets(targets: YoloTargets, dataset: SampleTable, size: tuple[int, int]) -> None:
    """Raise a ConfigurationError unless a dataset's boxes can be encoded for images of (height, width)."""
    targets.shapes(size)
    if dataset.boxes is None:
        raise ConfigurationError("targets= are made of boxes, and this dataset has none")
    highest = max((boxes[:, 4].max() for boxes in dataset.boxes if len(boxes)), default=0)
    if highest >= targets.num_classes:
        raise ConfigurationError(
            f"num_classes is {targets.num_classes} in targets=, and the dataset has boxes of class"
            f" {highest:g}: classes are counted from 0"
        )


def put_targets(targets: YoloTargets, inputs: list[Array], outputs: dict[str, Array]) -> None:
    """Replace the boxes of a batch by what they are encoded to.

    Parameters
    ----------
    targets : YoloTargets
        What that is, and whether the model has it as inputs.
    inputs : list of ndarray
        The first has shape (batch, height, width, channels).
    outputs : dict of str to ndarray
        Has the boxes, under their name.
    """
    encoded = targets.encode(outputs.pop("boxes"), inputs[0].shape[1:3])
    if not targets.as_inputs:
        outputs.update((f"y_true{grid}", array) for grid, array in enumerate(encoded))
        return
    inputs += encoded
    if not outputs:
        outputs["y"] = np.zeros(len(inputs[0]), np.float32)
