"""Elastic deformation: each pixel is looked up a little beside its place, and so are its neighbours.

Displacements are random, smoothed by a Gaussian, and scaled (Simard, Steinkraus and Platt, "Best practices
for convolutional neural networks applied to visual document analysis", ICDAR 2003).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.declarations.geometry import RandomElasticTransform
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws
from feedline.producer.transforms.boxes import Field
from feedline.producer.transforms.functions.detail import bell, normal_noise
from feedline.producer.transforms.registry import field_of


@field_of(RandomElasticTransform)
def elastic(declaration: RandomElasticTransform, draws: Draws, size: Size) -> Field | None:
    """Displace along x and y by independent noise."""
    alpha, sigma = declaration.alpha_and_sigma(draws, size)
    if not declaration.applies(draws) or alpha == 0.0:
        return None
    right, down = (alpha * _smooth(draw, size, sigma) for draw in declaration.noise_draws(draws))
    height, width = size
    return Field(
        np.arange(width, dtype=np.float32) + right, np.arange(height, dtype=np.float32)[:, np.newaxis] + down
    )


def _smooth(draw: float, size: Size, sigma: float) -> npt.NDArray[np.float32]:
    """Noise of deviation `sigma`, blurred over `sigma` pixels as Keras blurs it; beyond the edge it is 0."""
    kernel = bell(6 * int(sigma) | 1, sigma)
    noise = normal_noise(draw, size) * np.float32(sigma)
    return np.asarray(cv2.sepFilter2D(noise, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_CONSTANT))
