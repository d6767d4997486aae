"""An old ``fit_generator`` script, trained through Feedline, learns which photograph a tile was cut from.

The script below the line is of the kind that Keras 2 knew: IDs, a dict of labels, a DataGenerator, and
the three methods for generators. Two of its lines are new; docs/migrating.md shows them. Above the line
its images are made: tiles of photographs that scikit-image and scikit-learn carry, as PNG files.

    python examples/legacy_generator.py [--out out]

Everything goes into a new folder ``legacy_generator`` below ``--out``: the tiles, predictions, and a picture.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import keras
import numpy as np
import pandas as pd
from keras import layers
from matplotlib.figure import Figure

from feedline.legacy import DataGenerator, install, predictions_frame
from feedline.trainer.demo.photos import PHOTOS, VALIDATION, Recipe, tiles_of
from feedline.transforms import RandomBrightness, RandomFlip

PHOTO_NAMES = ("brick", "cat", "coffee", "flower", "grass", "pagoda", "retina", "tissue")
RECIPE = Recipe(tile=64, stride=32)
EPOCHS = 10
NUM_SHOWN = (4, 8)
"""Rows and columns of the picture."""


def cut_tiles(folder: Path) -> dict[str, int]:
    """Write ``ID.png`` for every tile; returns the number of the photograph that each ID is from."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = {}
    for photo in PHOTOS:
        if photo.label in PHOTO_NAMES:
            for name, pixels in tiles_of(photo, RECIPE):
                labels[f"{photo.label}-{name}"] = PHOTO_NAMES.index(photo.label)
                cv2.imwrite(str(folder / f"{photo.label}-{name}.png"), pixels[:, :, ::-1])
    return labels


def draw(frame: pd.DataFrame, labels: dict[str, int], folder: Path, path: Path) -> None:
    """Draw some tiles with what the model takes them for; its mistakes are red."""
    guesses = frame.to_numpy().argmax(axis=1)
    is_right = guesses == [labels[name] for name in frame.index]
    chosen = np.random.default_rng(7).permutation(len(frame))
    figure = Figure(figsize=(1.35 * NUM_SHOWN[1], 1.6 * NUM_SHOWN[0] + 0.5), dpi=110, layout="constrained")
    figure.suptitle(f"Tiles the model was not trained on: {is_right.mean():.1%} right")
    for axes, place in zip(figure.subplots(*NUM_SHOWN).flat, chosen, strict=False):
        axes.imshow(cv2.imread(str(folder / f"{frame.index[place]}.png"))[:, :, ::-1])
        color = "black" if is_right[place] else "crimson"
        axes.set_title(frame.columns[guesses[place]], color=color, fontsize=9)
        axes.axis("off")
    figure.savefig(path)


# ----------------------------------------------------------------------------------------------------------


def small_network() -> keras.Model:
    """A network that learns to tell the photographs apart in a few epochs."""
    model = keras.Sequential(
        [
            keras.Input((RECIPE.tile, RECIPE.tile, 3)),
            layers.Conv2D(16, 5, strides=2, activation="relu"),
            layers.BatchNormalization(momentum=0.9),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.BatchNormalization(momentum=0.9),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(len(PHOTO_NAMES), activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def main(out: Path) -> None:
    """Train, evaluate, predict, and draw a picture into `out`."""
    labels = cut_tiles(out / "tiles")
    val_ids = [name for name in labels if VALIDATION in name]
    train_ids = [name for name in labels if VALIDATION not in name]
    print(f"cut {len(labels):,} tiles from {len(PHOTO_NAMES)} photographs: {len(val_ids):,} to validate on")

    install()  # one of the two new lines; the other imports DataGenerator
    params = {
        "dim": (RECIPE.tile, RECIPE.tile),
        "batch_size": 32,
        "n_classes": len(PHOTO_NAMES),
        "n_channels": 3,
        "img_dir": f"{out / 'tiles'}/",
    }
    augmentation = [RandomFlip("horizontal"), RandomBrightness(0.1)]
    training_generator = DataGenerator(train_ids, labels, transforms=augmentation, **params)
    validation_generator = DataGenerator(val_ids, labels, **params)

    keras.utils.set_random_seed(7)
    model = small_network()
    model.fit_generator(
        generator=training_generator,
        validation_data=validation_generator,
        epochs=EPOCHS,
        verbose=2,
        callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 3e-3 * 0.7**epoch)],
        workers=2,
        use_multiprocessing=True,
    )

    loss, accuracy = model.evaluate_generator(validation_generator)
    print(f"on the validation tiles: loss {loss:.3f}, {accuracy:.1%} right")
    predictions = model.predict_generator(validation_generator)
    frame = predictions_frame(validation_generator, predictions, PHOTO_NAMES)
    frame.to_csv(out / "predictions.csv")
    draw(frame, labels, out / "tiles", out / "predictions.png")
    print(f"predictions by ID: {out / 'predictions.csv'}; a picture: {out / 'predictions.png'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for results")
    main(parser.parse_args().out / "legacy_generator")
