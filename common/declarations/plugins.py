"""Declarations that hand images to code from elsewhere: functions of the user's, albumentations pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from feedline.common.arguments import dtype_name, pixels, yes_or_no
from feedline.common.declarations.base import Check, Transform, declaration
from feedline.common.errors import ConfigurationError
from feedline.common.user_code import Arguments, check_reference


def _size(label: str, value: Any) -> tuple[int, int]:
    """Read (height, width); ConfigurationError if it is none."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ConfigurationError(f"{label} must be (height, width), got {value!r}")
    return pixels(f"the height in {label}", value[0]), pixels(f"the width in {label}", value[1])


def _albumentations(label: str, value: Any) -> Arguments:
    """Pack what ``albumentations.to_dict`` returned, unless a function hides in it."""
    if hasattr(value, "to_dict"):
        raise ConfigurationError(
            f"{label} must be what albumentations.to_dict returns: pass A.to_dict(pipeline), not the"
            f" {type(value).__name__} itself"
        )
    packed = Arguments.of(label, value)
    for name in _class_names(packed.unpack()):
        if name.rpartition(".")[2] == "Lambda":
            raise ConfigurationError(
                f"{label} has a Lambda, whose function cannot travel: put the function into a module, and use"
                ' PythonTransform("my_module:my_function")'
            )
    return packed


def _class_names(value: Any) -> Iterator[str]:
    """Names of all the classes that a dict of albumentations' mentions."""
    if isinstance(value, dict):
        yield str(value.get("__class_fullname__", ""))
        value = value.values()
    if not isinstance(value, str | bytes) and hasattr(value, "__iter__"):
        for part in value:
            yield from _class_names(part)


COMPOSITIONS = frozenset({
    "Compose", "OneOf", "OneOrOther", "RandomOrder", "ReplayCompose", "SelectiveChannelTransform",
    "Sequential", "SomeOf",
})  # fmt: skip
"""Classes of albumentations 2 that do what is in them."""

STILL = frozenset({
    "AdditiveNoise", "AdvancedBlur", "AutoContrast", "Blur", "CLAHE", "ChannelDropout", "ChannelShuffle",
    "ChromaticAberration", "ColorJitter", "Defocus", "Downscale", "Emboss", "Equalize", "FDA", "FancyPCA",
    "FromFloat", "GaussNoise", "GaussianBlur", "GlassBlur", "HEStain", "HistogramMatching",
    "HueSaturationValue", "ISONoise", "Illumination", "ImageCompression", "InvertImg", "MedianBlur",
    "MotionBlur", "MultiplicativeNoise", "NoOp", "Normalize", "PixelDistributionAdaptation",
    "PlanckianJitter", "PlasmaBrightnessContrast", "PlasmaShadow", "Posterize", "RGBShift",
    "RandomBrightnessContrast", "RandomFog", "RandomGamma", "RandomGravel", "RandomRain", "RandomShadow",
    "RandomSnow", "RandomSunFlare", "RandomToneCurve", "RingingOvershoot", "SaltAndPepper", "Sharpen",
    "ShotNoise", "Solarize", "Spatter", "Superpixels", "TextImage", "ToFloat", "ToGray", "ToRGB",
    "ToSepia", "UnsharpMask", "ZoomBlur",
})  # fmt: skip
"""Classes of albumentations 2 that change the values of pixels, and their places never."""


def _floats(label: str, value: Any) -> str:
    name = dtype_name(value)
    if name != "float32":
        raise ConfigurationError(
            f"{label} must be 'float32', or left out: it is that of the pixels; got {value!r}"
        )
    return str(name)


_MAKE_FLOATS = ("Normalize", "ToFloat")
"""Classes of albumentations after which pixels are floats."""


@dataclass(frozen=True, slots=True)
class Foreign(Transform):
    """What both have: a random generator that two uniforms are the key of, and what is said of results.

    Parameters
    ----------
    image_size : (int, int), optional
        (height, width) of what comes out; by default of what comes in.
    dtype : {"float32"}, optional
        Of what comes out; by default that of what comes in.
    moves_pixels : bool, optional
        False: pixels stay where they are, so that masks, boxes and images to predict need not follow.
    """

    image_size: tuple[int, int] | None = field(default=None, kw_only=True)
    dtype: str | None = field(default=None, kw_only=True)
    moves_pixels: bool | None = field(default=None, kw_only=True)

    _NUM_DRAWS: ClassVar[int] = 2
    _CHECKS: ClassVar[Mapping[str, Check]] = {
        "function": check_reference,
        "params": Arguments.of,
        "pipeline": _albumentations,
        "image_size": _size,
        "dtype": _floats,
        "moves_pixels": yes_or_no,
    }

    def __post_init__(self) -> None:
        """Check each argument, then whether they go together."""
        # `super()` does not work in dataclasses with slots before Python 3.14.
        Transform.__post_init__(self)
        if self.image_size is not None and self.moves_pixels is False:
            raise ConfigurationError(
                f"image_size={self.image_size} of {self.name} makes another size, so pixels move:"
                " leave out moves_pixels=False"
            )

    @property
    def may_move(self) -> bool:
        """Whether masks and boxes might have to follow."""
        return self.moves_pixels is not False

    def output_dtype(self, dtype: str) -> str:
        """The dtype of what comes out."""
        return self.dtype or dtype

    @property
    def without_chance(self) -> Transform:
        """Itself: it may be what prepares images, and only its author knows."""
        return self

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of what comes out."""
        return self.image_size or size

    @property
    def not_followed(self) -> tuple[str, str] | None:
        """What it does to places is not known, unless it was said."""
        remedy = "leave it out, or say moves_pixels=False if it changes nothing but their values"
        return (f"{self.name} may move pixels", remedy) if self.may_move else None

    @property
    def name(self) -> str:
        """What it is called in errors."""
        return type(self).__name__


@declaration
class PythonTransform(Foreign):
    """Call a function of your own, ``function(image, rng, **params)``, which returns the new image.

    Parameters
    ----------
    function : str
        ``"module:name"``. Producers import the module: embedded ones from where the trainer would, others if
        they were started with ``--allow module``.
    params : mapping
        Further arguments: numbers, texts, lists, tuples, dicts and arrays of numbers.
    image_size : (int, int), optional
        (height, width) of what it returns; by default what it gets.
    dtype : {"float32"}, optional
        Of what it returns; by default what it gets. The batch becomes float32.
    moves_pixels : bool, optional
        False: it changes nothing but values, so that masks, boxes and images to predict stay as they are. By
        default it is refused beside them.

    Notes
    -----
    `image` is an array of its own, shape (height, width, channels), which the function may change; the dtype
    is that of the pixels where the function stands among the transforms. It returns an array of the same
    dtype and number of channels. `rng` is a `numpy.random.Generator` that is the same for the same sample in
    the same epoch, whichever producer calls: draw from nothing else.
    """

    function: str
    params: Mapping[str, Any] | Arguments = field(default_factory=dict)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"function": "my_module:my_function"}

    @property
    def name(self) -> str:
        """What it is called in errors."""
        return self.function

    @property
    def kwargs(self) -> dict[str, Any]:
        """The further arguments, fresh each time: the function may change them."""
        return Arguments.of("params", self.params).unpack()


@declaration
class Albumentations(Foreign):
    """Apply a pipeline of albumentations 2, which producers need installed (``feedline[albumentations]``).

    Parameters
    ----------
    pipeline : mapping
        ``A.to_dict(A.Compose([...]))``. Without `Lambda`: functions do not travel.
    image_size : (int, int), optional
        (height, width) of what it makes, if it crops or resizes; by default what it gets.
    dtype : {"float32"}, optional
        Of what it makes, if it makes floats; found out for ``Normalize`` and ``ToFloat``.
    moves_pixels : bool, optional
        False: it changes nothing but values, so that masks, boxes and images to predict stay as they are.
        Found out for pipelines of albumentations' own classes.

    Notes
    -----
    Random states that the pipeline was given are not used: each sample has its own, as in `PythonTransform`.
    """

    pipeline: Mapping[str, Any] | Arguments

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {
        "pipeline": {"transform": {"__class_fullname__": "HorizontalFlip"}}
    }

    def __post_init__(self) -> None:
        """Find out what the pipeline itself says."""
        Foreign.__post_init__(self)
        names = {name.rpartition(".")[2] for name in _class_names(self.config) if name} - COMPOSITIONS
        if self.dtype is None and names.intersection(_MAKE_FLOATS):
            object.__setattr__(self, "dtype", "float32")
        if self.moves_pixels is None:
            object.__setattr__(self, "moves_pixels", not names or not names <= STILL)

    @property
    def config(self) -> dict[str, Any]:
        """What ``albumentations.from_dict`` takes."""
        return Arguments.of("pipeline", self.pipeline).unpack()
