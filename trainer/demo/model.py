"""A small convolutional network: it learns the tiles in seconds, on two cores."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

WIDTHS = (16, 24, 48, 96)
"""Channels per stage; each stage halves height and width."""

LEARNING_RATE = 3e-3


def small_cnn(image_size: int, num_classes: int, num_steps: int) -> Any:
    """Build and compile the network.

    Parameters
    ----------
    image_size : int
        Side of its images in pixels, at least 2 to the power of the number of stages.
    num_classes : int
        Width of its softmax.
    num_steps : int
        Steps of the whole training: the learning rate falls to 0 on a cosine.

    Returns
    -------
    keras.Model
        Takes uint8 images (batch, image_size, image_size, 3) and casts them itself, so that bytes
        travel to the device, an eighth of what float64 takes.
    """
    pixels = keras.Input((image_size, image_size, 3), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    for stage, width in enumerate(WIDTHS):
        x = _stage(x, width, first=stage == 0)
    # The average tells textures, the maximum the one thing in a corner.
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.Dropout(0.2)(x)
    model = keras.Model(pixels, layers.Dense(num_classes, activation="softmax")(x))
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, num_steps)
    optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _stage(x: Any, width: int, *, first: bool) -> Any:
    x = layers.Conv2D(width, 3, strides=2 if first else 1, padding="same", use_bias=False)(x)
    # A few hundred steps are too few for Keras' slower average.
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.ReLU()(x)
    return x if first else layers.MaxPooling2D()(x)
