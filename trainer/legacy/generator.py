"""`DataGenerator`: the class that old scripts define for themselves, with producers behind it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import pixels
from feedline.common.declarations.base import Transform
from feedline.common.declarations.color import Rescaling
from feedline.common.errors import ConfigurationError
from feedline.common.sample.image import ColorMode
from feedline.common.signatures import refuse_unknown
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.legacy.labels import class_names_of, labels_in_order
from feedline.trainer.sequences.batch_sequence import BatchSequence

_SCALES: dict[str | None, tuple[str, tuple[Transform, ...]]] = {
    "unit": ("uint8", (Rescaling(1 / 255),)),
    "unit16": ("uint16", (Rescaling(1 / 65535),)),
    "uint8": ("uint8", ()),
    "uint16": ("uint16", ()),
    None: ("uint8", ()),
}
"""What is decoded, and what is done to it last, for each `scale`."""

_COLORS = {1: ColorMode.GRAYSCALE, 3: ColorMode.RGB, 4: ColorMode.RGBA}

_OURS = {"image_size": "img_size", "color_mode": "n_channels", "dtype": "scale", "dataset": "list_IDs"}
"""Arguments of a `BatchSequence` that have another name here."""


_REMEDY = (
    "Leave the __init__ and the on_epoch_end of the usual generator out; an __init__ that is needed"
    " begins with super().__init__(list_IDs, labels, batch_size=..., ...), and sets none of that again"
)

_HINTS = {
    "augment": "say with transforms=[RandomFlip(), ...] how",
    "augmentation": "say with transforms=[RandomFlip(), ...] how",
    "img_path": "it is called img_dir",
    "image_dir": "it is called img_dir",
    "path": "it is called img_dir",
    "num_classes": "it is called n_classes",
    "num_channels": "it is called n_channels",
    "to_fit": "leave labels out for batches of images alone",
    "preprocess": "say with scale= and transforms= what happens to images",
    "preprocessing_function": "PythonTransform('my_module:my_function') among transforms= calls it",
    "pickle_safe": "leave it out, producers are processes anyway",
}
"""Names that generators of this kind have elsewhere."""


class DataGenerator(BatchSequence):
    """The usual generator of image files by ID, as a `BatchSequence`.

    Parameters
    ----------
    list_IDs : sequence of str or int
        One sample each; its file is ``img_dir/IDext``.
    labels : DataFrame, Series, mapping or array-like, optional
        By ID, or in the order of `list_IDs`: see `labels_in_order`. Without it a batch is images alone.
    batch_size : int
        Samples of a batch; the last one has what is left.
    img_size : (int, int) or (int, int, int)
        Height and width, and perhaps the channels. Files of another size are resized.
    img_dir : path
        Where the files are.
    ext : str
        What file names end with after the ID, such as ``".png"``; ``""`` if IDs are whole names.
    n_channels : {1, 3, 4}
        Gray, red-green-blue, or with alpha; files are converted.
    shuffle : bool
        A new order each epoch.
    dim : (int, int), optional
        Another name for `img_size`.
    n_classes : int, optional
        Labels are class numbers and become rows of zeros and a one.
    scale : {"unit", "uint8", "unit16", "uint16", None}
        ``"unit"``: float32 in 0..1, what matplotlib's ``imread`` gives for PNG files, to the last bit.
        ``"uint8"`` or None: 0..255, a fourth of the bytes; begin the model with a ``Rescaling(1 / 255)``.
        ``"unit16"`` and ``"uint16"``: the same for files of 16 bits.
    transforms : sequence of Transform
        From `feedline.transforms`, for pixels in 0..255: `scale` comes last.
    workers : int
        Producer processes, until `fit_generator` asks for another number.
    **options
        Whatever else a `BatchSequence` takes: ``seed``, ``pool``, ``cache``, ``interpolation`` …

    Raises
    ------
    ConfigurationError, DatasetError
        An argument or a label that cannot work, quoted.

    Examples
    --------
    >>> labels = {"a": 0, "b": 1, "c": 0}
    >>> with DataGenerator(["a", "b", "c"], labels, batch_size=2, n_classes=2) as generator:
    ...     len(generator)
    2
    """

    def __init__(
        self,
        list_IDs: Sequence[Any],  # noqa: N803 - that is its name in old scripts
        labels: Any = None,
        batch_size: int = 1,
        img_size: Sequence[int] = (512, 512),
        img_dir: str = "./",
        ext: str = ".png",
        n_channels: int = 1,
        shuffle: bool = True,
        *,
        dim: Sequence[int] | None = None,
        n_classes: int | None = None,
        scale: str | None = "unit",
        transforms: Sequence[Transform] = (),
        workers: int | None = None,
        **options: Any,
    ) -> None:
        _refuse_other_names(options)
        shape = ImageShape.of(img_size if dim is None else dim, n_channels)
        if isinstance(list_IDs, str) or not isinstance(list_IDs, Iterable):
            raise ConfigurationError(f"list_IDs must be a list of IDs, got {list_IDs!r}")
        self.list_IDs = list(list_IDs)
        self.batch_size, self.img_size, self.n_channels = batch_size, shape.size, shape.n_channels
        self.img_dir, self.ext, self.shuffle, self.n_classes = img_dir, ext, shuffle, n_classes
        self.label_columns = None if not hasattr(labels, "columns") else list(labels.columns)
        dtype, scaling = _scaling(scale)
        targets = labels_in_order(self.list_IDs, labels, n_classes)
        files = [f"{name}{ext}" for name in self.list_IDs]
        names = class_names_of(labels)
        dataset = ImageDataset.from_lists(files, targets, directory=img_dir, class_names=names)
        super().__init__(
            dataset,
            batch_size=batch_size,
            image_size=shape.size,
            color_mode=_COLORS[shape.n_channels],
            dtype=dtype,
            shuffle=shuffle,
            transforms=(*transforms, *scaling),
            workers=1 if workers is None and options.get("pool") is None else workers,
            **options,
        )

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if any(name.endswith("__data_generation") for name in vars(cls)):
            raise ConfigurationError(
                f"{cls.__name__} defines __data_generation, which nobody would call: producers read the"
                " images. Say with scale= and transforms= what happens to them, or derive the class from"
                " keras.utils.Sequence"
            )

    def __getattr__(self, name: str) -> Any:
        """Nothing is there before the constructor has run: an ``__init__`` of a subclass may not call it."""
        if name.startswith("_") and not name.startswith("__") and "_end" not in vars(self):
            raise ConfigurationError(f"{type(self).__name__}.__init__ does not call ours. {_REMEDY}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def indexes(self) -> npt.NDArray[np.intp]:
        """Places in `list_IDs` in the order of delivery of the present epoch, shape (num_samples,)."""
        return self._order

    @indexes.setter
    def indexes(self, _: Any) -> NoReturn:
        why = "shuffle= and seed= say in which order samples come"
        raise ConfigurationError(
            f"{type(self).__name__} sets self.indexes, which cannot be: {why}. {_REMEDY}"
        )

    @property
    def labels(self) -> Any:
        """As of a `BatchSequence`."""
        return super().labels

    @labels.setter
    def labels(self, _: Any) -> NoReturn:
        why = "producers deliver those that the constructor was given"
        raise ConfigurationError(f"{type(self).__name__} sets self.labels, which cannot be: {why}. {_REMEDY}")


@dataclass(frozen=True, slots=True)
class ImageShape:
    """Size and channels of the images of a generator.

    Attributes
    ----------
    size : (int, int)
        Height and width, in pixels.
    n_channels : int
        1, 3 or 4.
    """

    size: tuple[int, int]
    n_channels: int

    def __post_init__(self) -> None:
        if self.n_channels not in _COLORS:
            raise ConfigurationError(
                f"images have 1, 3 or 4 channels, got {self.n_channels}: img_size (or dim) is (height, width)"
                " or (height, width, channels); volumes cannot be read"
            )

    @classmethod
    def of(cls, img_size: Sequence[int], n_channels: int) -> ImageShape:
        """Read what old scripts pass: (height, width), or with the channels as a third number."""
        sides = np.atleast_1d(img_size).tolist()
        if len(sides) not in {2, 3}:
            raise ConfigurationError(
                f"img_size (or dim) must be (height, width) or (height, width, channels), got {img_size!r}"
            )
        own = sides[2] if len(sides) == 3 else n_channels
        if n_channels not in {1, own}:
            raise ConfigurationError(f"img_size={img_size} and n_channels={n_channels} contradict each other")
        return cls((pixels("height", sides[0]), pixels("width", sides[1])), own)


def _scaling(scale: str | None) -> tuple[str, tuple[Transform, ...]]:
    if scale not in _SCALES:
        raise ConfigurationError(f"scale must be one of {list(_SCALES)}, got {scale!r}")
    return _SCALES[scale]


def _refuse_other_names(options: dict[str, Any]) -> None:
    own, base = (inspect.signature(one.__init__).parameters for one in (DataGenerator, BatchSequence))
    known = [*dict.fromkeys([*own, *base, *options.keys() & _OURS.keys()])]
    refuse_unknown("DataGenerator", options, [name for name in known if name != "options"], _HINTS)
    for name in options.keys() & _OURS.keys():
        raise ConfigurationError(f"a DataGenerator has {_OURS[name]}= for what a BatchSequence calls {name}=")
