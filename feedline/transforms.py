"""What can be done to each image, by producers: see docs/transforms.md.

Each name here declares one thing, with the arguments and the meaning of the Keras layer of that name where
there is one.
"""

from typing import TYPE_CHECKING

from feedline.common.declarations import DECLARATIONS
from feedline.common.declarations.base import FillMode as FillMode
from feedline.common.declarations.base import Transform as Transform
from feedline.common.declarations.geometry import FlipMode as FlipMode
from feedline.common.sample.image import Interpolation as Interpolation

_SHARED = (FillMode, FlipMode, Interpolation, Transform)

# A type checker cannot follow names that are derived, so it is shown the files that they come from: of a star
# import, and of "X as X", it knows that they are for others. What else is in those files is not here when the
# program runs.
if TYPE_CHECKING:
    from feedline.common.declarations.color import *
    from feedline.common.declarations.detail import *
    from feedline.common.declarations.framing import *
    from feedline.common.declarations.geometry import *
    from feedline.common.declarations.histogram import *
    from feedline.common.declarations.hue import *
    from feedline.common.declarations.mixing import *
    from feedline.common.declarations.plugins import *
    from feedline.common.declarations.yolo import *
else:
    globals().update(DECLARATIONS)
    __all__ = sorted([*DECLARATIONS, *(shared.__name__ for shared in _SHARED)])
