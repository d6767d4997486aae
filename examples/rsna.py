"""From the files of the RSNA intracranial haemorrhage competition to a submission, through Feedline.

    python examples/rsna.py [--out out] [--epochs 16] [--workers 2]

The competition's 460 GB are not needed: `rsna_files` makes a tree of the same shape from one real head CT,
with haemorrhages DRAWN IN. What is learned here means nothing in medicine.

Everything goes into a new folder ``rsna`` below ``--out``: the files, the submission and a picture.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pandas as pd
from keras import layers
from rsna_files import Tree, make_tree
from rsna_picture import draw_predictions

from feedline import BatchSequence, CTWindows, ImageDataset, build_index
from feedline.rsna import SUBTYPES, predict_tta, weighted_log_loss, write_submission
from feedline.samplers import BalancedSampler
from feedline.transforms import Flip, RandomFlip, RandomRotation, RandomZoom

WINDOWS = ("brain", "subdural", "soft")
SIZE = (128, 128)
AUGMENTATION = [
    RandomFlip("horizontal"),
    RandomRotation(0.03, fill_mode="constant"),
    RandomZoom(0.1, fill_mode="constant"),
]
TTA = [[], Flip("horizontal"), [RandomRotation(0.02, fill_mode="constant")]]


def main() -> None:
    """Go the whole way."""
    args = _arguments()
    keras.utils.set_random_seed(7)
    folder = args.out / "rsna"
    shutil.rmtree(folder, ignore_errors=True)
    print("making files from one head CT of pydicom-data; the haemorrhages are drawn in")
    tree = make_tree(folder, num_train=24, num_test=4)

    train, validation = read_training_images(tree).split(0.25, group_col="patient", seed=1)
    print(f"train:      {train}\nvalidation: {validation}")
    test, ids = read_test_images(tree)

    options: dict[str, Any] = {
        "batch_size": 8,
        "image_size": SIZE,
        "color_mode": CTWindows(WINDOWS),  # three uint8 channels
        "workers": args.workers,
        "cache": "memory",
    }
    with (
        BatchSequence(
            train, sampler=BalancedSampler("any"), transforms=AUGMENTATION, seed=7, **options
        ) as train_seq,
        BatchSequence(validation, shuffle=False, **options) as validation_seq,
        BatchSequence(test, shuffle=False, **options) as test_seq,
    ):
        model = make_model(args.epochs * len(train_seq))
        model.fit(train_seq, validation_data=validation_seq, epochs=args.epochs, verbose=2)
        predictions = predict_tta(model, validation_seq, TTA)
        report(predictions, train, validation)
        draw_predictions(validation_seq, WINDOWS, predictions, folder / "predictions.png")
        write_submission(folder / "submission.csv", ids, predict_tta(model, test_seq, TTA))
    print(f"wrote {folder / 'submission.csv'} and {folder / 'predictions.png'}")


def read_training_images(tree: Tree) -> ImageDataset:
    """Labels from the CSV, patients from the headers, and the file that is cut off left out."""
    index = build_index(tree.train, cache=tree.train.with_suffix(".index.csv"))
    whole = without_cut_off_files(index)
    data = ImageDataset.from_rsna_csv(tree.labels, tree.train)
    return data.subset(np.isin(data.filenames, whole["filename"])).with_dicom_index(whole)


def read_test_images(tree: Tree) -> tuple[ImageDataset, list[str]]:
    """Every file of the folder, without labels, and the image IDs."""
    index = build_index(tree.test, cache=tree.test.with_suffix(".index.csv"))
    ids = index["filename"].str.removesuffix(".dcm").tolist()
    test = ImageDataset.from_dataframe(index, tree.test, class_mode=None)
    return test.with_dicom_reading(repair="rsna"), ids  # as from_rsna_csv says of the others


def without_cut_off_files(index: pd.DataFrame) -> pd.DataFrame:
    """The rows of files that are as long as their uncompressed pixels, of two bytes each, at least."""
    is_cut_off = index["size"] < 2 * index["rows"] * index["columns"]
    print(f"left out because pixels are missing: {index['filename'][is_cut_off].tolist()}")
    return index[~is_cut_off]


def make_model(num_steps: int) -> Any:
    """A small convolutional network with a sigmoid for each subtype."""
    pixels = keras.Input((*SIZE, len(WINDOWS)), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    for width in (16, 32, 64, 96):
        x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    model = keras.Model(pixels, layers.Dense(len(SUBTYPES), activation="sigmoid")(x))
    rate = keras.optimizers.schedules.CosineDecay(5e-3, num_steps)
    model.compile(keras.optimizers.Adam(rate), loss=weighted_log_loss)
    return model


def report(predictions: Any, train: ImageDataset, validation: ImageDataset) -> None:
    """Compare the predictions with saying of every image how frequent each subtype is."""
    shares = np.broadcast_to(np.mean(train.labels, axis=0), predictions.shape)
    losses = [
        float(np.mean(keras.ops.convert_to_numpy(weighted_log_loss(validation.labels, said))))
        for said in (shares, predictions)
    ]
    print(f"weighted log loss on unseen patients: {losses[1]:.3f}; without looking it is {losses[0]:.3f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for results")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2, help="producer processes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
