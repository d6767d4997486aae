"""The numbers that a training is made of: weights, optimizer, random seeds of layers, metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError

Arrays = dict[str, npt.NDArray[Any]]
"""By their names in the file."""


def gathered(model: Any) -> Arrays:
    """All variables as they are now, also where JAX has them in its own hands."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()
    groups = {
        "model": model.variables,
        "optimizer": model.optimizer.variables,
        "metrics": model.metrics_variables,
    }
    return {
        f"{group}/{number}": _as_numbers(variable.numpy())
        for group, variables in groups.items()
        for number, variable in enumerate(variables)
    }


def restore_model(model: Any, arrays: Arrays) -> None:
    """Give weights, random seeds and optimizer their values."""
    _assign("model", model.variables, arrays)
    _assign("optimizer", model.optimizer.variables, arrays)


def restore_metrics(model: Any, arrays: Arrays) -> None:
    """Give metrics what they had counted: Keras forgets it when an epoch begins."""
    _assign("metrics", model.metrics_variables, arrays)


def _assign(group: str, variables: list[Any], arrays: Arrays) -> None:
    num_kept = sum(name.startswith(f"{group}/") for name in arrays)
    if num_kept != len(variables):
        raise ConfigurationError(
            f"the {group} has {len(variables)} variables, and {num_kept} were kept: {_CHANGED}"
        )
    for number, variable in enumerate(variables):
        value = arrays[f"{group}/{number}"]
        if value.shape != tuple(variable.shape):
            raise ConfigurationError(
                f"{variable.path} has shape {tuple(variable.shape)}, and {value.shape} was kept: {_CHANGED}"
            )
    for number, variable in enumerate(variables):
        variable.assign(_as_kept(arrays[f"{group}/{number}"], variable))


_CHANGED = "make the model and compile it as before, or begin anew in another folder"


def _as_numbers(value: Any) -> npt.NDArray[Any]:
    """An array of a dtype that a file can have: NumPy itself knows neither bfloat16 nor float8."""
    array = np.array(value)
    return array.view(f"u{array.itemsize}") if array.dtype.kind == "V" else array


def _as_kept(value: npt.NDArray[Any], variable: Any) -> npt.NDArray[Any]:
    """Undo `_as_numbers`."""
    dtype = np.asarray(variable.numpy()).dtype
    return value.view(dtype) if dtype.kind == "V" else value
