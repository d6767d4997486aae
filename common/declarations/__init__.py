"""What a user may ask to be done to each image: names, arguments and meaning of Keras' layers.

A declaration holds no pixels and draws no numbers. It says how many uniforms one sample consumes, and
what they mean: ``RandomRotation(0.1).angle(draws)``. `feedline.producer.transforms` holds what each does to
pixels; `docs/transforms.md` shows it, and lists where Feedline differs from Keras and why. An argument
that cannot work is a ConfigurationError where it is written.

Arguments that several share, as in Keras:

- a *factor* is a number ``f``, which means ``(-|f|, |f|)``, or a (lower, upper) pair; where it says how
  strong or how likely something is, ``f`` means ``(0, f)``;
- `fill_mode` and `fill_value` say what lies beyond the edge, see `FillMode`;
- `interpolation` is ``"nearest"`` or ``"bilinear"``;
- `value_range` is the lowest and highest value of a pixel; results are clipped to it.

Keras' ``seed`` does not exist here because all draws come from the job's seed, so that a batch is the
same whoever builds it; ``data_format`` does not because batches are always channels-last.

Each class that is a `declaration` enters itself into `DECLARATIONS`; all files that have some are imported
here, and named in `feedline.transforms` for type checkers.
"""

from feedline.common.declarations import (
    color,
    detail,
    framing,
    geometry,
    histogram,
    hue,
    mixing,
    plugins,
    yolo,
)
from feedline.common.declarations.base import DECLARATIONS

__all__ = [
    "DECLARATIONS",
    "color",
    "detail",
    "framing",
    "geometry",
    "histogram",
    "hue",
    "mixing",
    "plugins",
    "yolo",
]
