"""Which extra of the package brings what: for whoever finds something missing."""

from __future__ import annotations

_TRAINER = "pip install 'feedline[trainer]', or 'feedline[keras]' to train on JAX or torch"
_DEMO = "pip install 'feedline[trainer,demo]'"

_REMEDIES = {
    "keras": _TRAINER,
    "pandas": _TRAINER,
    "tqdm": _TRAINER,
    "tensorflow": "pip install 'feedline[trainer]', or say KERAS_BACKEND=jax or torch to train on another",
    "matplotlib": _DEMO,
    "skimage": _DEMO,
    "sklearn": "pip install 'feedline[splits]', or 'feedline[trainer,demo]' for the demo",
    **dict.fromkeys(("prometheus_client", "rich", "starlette", "uvicorn"), "pip install 'feedline[monitor]'"),
    "iterstrat": "pip install 'feedline[splits]'",
}


def what_is_missing(module: str | None) -> str | None:
    """Say which extra brings a module that was not found; None if none of them is meant to.

    Parameters
    ----------
    module : str or None
        As `ModuleNotFoundError.name` has it: ``"skimage.data"``, too.
    """
    package = (module or "").partition(".")[0]
    remedy = _REMEDIES.get(package)
    return remedy and f"{package} is missing: {remedy}"
