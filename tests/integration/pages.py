"""Runs the python blocks of a page, as they stand, one after another: ``python pages.py PAGE``.

What a page takes as given (a data set, a model, a folder of images) is made by its function in `GIVEN`, in
the current folder. A block that begins with ``# before`` shows old code, and is not run.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd

import feedline
from feedline import ImageDataset
from feedline.common.keys.making import make_keys

ROOT = Path(__file__).parents[2]
SIZE, NUM = 48, 40
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)

FOLDERS = {'"/project/': '"project/', '"/data"': '"images"'}
"""Places in containers, and where they are here."""

RUN_ELSEWHERE = {"docs/migrating.md": 2}
"""How many of a page's first blocks test_legacy_script.py runs, as whole scripts."""

Names = dict[str, Any]


def blocks_of(page: str) -> list[str]:
    """The blocks of a page that are to run."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)[RUN_ELSEWHERE.get(page, 0) :]
    return [block for block in blocks if not block.startswith("# before")]


def make_images(folder: str, names: Sequence[str], *, dtype: str = "uint8", channels: int = 3) -> None:
    """Write images of noise."""
    noise = np.random.default_rng(7)
    shape = (SIZE, SIZE, channels) if channels > 1 else (SIZE, SIZE)
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), noise.integers(0, 20 if channels == 1 else 255, shape).astype(dtype))


def network(channels: int, outputs: int) -> keras.Model:
    """The smallest network that takes images of any size."""
    model = keras.Sequential(
        [
            keras.Input((None, None, channels)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(outputs, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    return model


def table() -> pd.DataFrame:
    """Forty images in the folder ``images``, with two labels each, and whom they are of."""
    names = [f"{i}.png" for i in range(NUM)]
    make_images("images", names)
    rows = np.arange(NUM)
    columns = {"any": rows % 2, "subdural": rows % 3 // 2, "patient": [f"p{i % 9}" for i in rows]}
    return pd.DataFrame({"filename": names, **columns})


def usual(channels: int = 3, outputs: int = 1) -> Names:
    """What most pages take as given: a data set, a sequence of it, and a network."""
    frame = table()
    data = ImageDataset.from_dataframe(frame, "images", y_col="any", class_mode="raw")
    sequence = feedline.BatchSequence(data, batch_size=8, image_size=(SIZE, SIZE), workers=1)
    return {"data": data, "train": data, "model": network(channels, outputs), "sequence": sequence}


def readme() -> Names:
    """A table of CT slices as PNG."""
    table().to_csv("labels.csv")
    make_keys(Path("keys"))
    return {"model": network(1, 2)}


def secured() -> Names:
    """Keys."""
    make_keys(Path("keys"))
    return usual()


def compose() -> Names:
    """A table of two classes."""
    Path("project").mkdir()
    frame = table()
    frame["label"] = np.where(frame["any"], "cat", "dog")
    frame.to_csv("project/labels.csv")
    return {"model": network(3, 2)}


def datasets() -> Names:
    """Frames of labels, masks and depth maps; flowers in folders of classes."""
    frame = table()
    for column, folder, options in (
        ("mask", "masks", {"channels": 1}),
        ("depth", "depth", {"channels": 1, "dtype": "uint16"}),
        ("left", "left", {}),
        ("right", "right", {}),
    ):
        frame[column] = [f"{folder}/{name}" for name in frame["filename"]]
        make_images("images", frame[column].tolist(), **options)
    make_images("flowers", [f"{kind}/{i}.jpg" for kind in ("aster", "rose") for i in range(9)])
    return {"frame": frame, "SUBTYPES": ["any", "subdural"], "paths": frame["filename"].tolist()[:2]}


def sampling() -> Names:
    """Two sets of the same classes."""
    for folder in ("flowers", "drawn_flowers"):
        make_images(folder, [f"{kind}/{i}.jpg" for kind in ("aster", "rose") for i in range(9)])
    return usual()


def slices() -> Names:
    """The folders of the competition, small."""
    sys.path.append(str(ROOT / "examples"))
    from rsna_files import make_tree  # noqa: PLC0415 - it is found only now

    tree = make_tree(Path(), num_train=12, num_test=1)
    names = [path.name for path in sorted(tree.train.glob("*.dcm"))]
    return {"model": network(3, 6), "names": names, "labels": [0.0] * len(names)}


def old_script() -> Names:
    """What the two scripts before have made."""
    frame = table()
    frame["ID"] = [f"ID_{name.removesuffix('.png')}" for name in frame["filename"]]
    make_images("images", [f"{name}.png" for name in frame["ID"]])
    frame[["ID", "any", "subdural"]].to_csv("train.csv", index=False)
    return {"pd": pd, "model": network(1, 2)}


def code_of_users() -> Names:
    """Modules of the user's, one of them from the page itself."""
    sys.path.append(str(Path.cwd()))
    source = (ROOT / "tests" / "user_code.py").read_text()
    Path("my_generator.py").write_text(source)
    (speckle,) = (
        block for block in blocks_of("docs/user-code.md") if block.startswith("# my_augmentations.py")
    )
    Path("my_augmentations.py").write_text(speckle)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    ids = [f"id-{i}" for i in range(64)]
    return {**usual(), "model": model, "ids": ids, "labels": dict.fromkeys(ids, 1)}


def make_outlines() -> None:
    """One square in each of four images, as Ultralytics and as COCO write it."""
    names = [f"{i}.png" for i in range(4)]
    make_images("data/images/train", names)
    make_images("train2017", names)
    Path("data/labels/train").mkdir(parents=True)
    for name in names:
        Path("data/labels/train", name).with_suffix(".txt").write_text("0 0.1 0.1 0.6 0.1 0.6 0.6 0.1 0.6\n")
    square = [5, 5, 30, 5, 30, 30, 5, 30]
    images = [{"id": i, "file_name": name, "width": SIZE, "height": SIZE} for i, name in enumerate(names)]
    objects = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": [5, 5, 25, 25], "segmentation": [square]}
        for i in range(4)
    ]
    content = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "square"}]}
    Path("instances_train2017.json").write_text(json.dumps(content))


def yolo() -> Names:
    """Annotations of one object an image, and a model whose inputs are its targets."""
    lines = [f"images/{name} 4,5,30,40,{i % 2}" for i, name in enumerate(table()["filename"])]
    Path("train.txt").write_text("\n".join(lines))
    make_outlines()
    anchors, shape = feedline.yolo.YOLO_ANCHORS, (64, 64)
    inputs = [keras.Input((*shape, 3))]
    inputs += [keras.Input((64 // stride, 64 // stride, 3, 7)) for stride in feedline.yolo.STRIDES]
    sums = [keras.layers.Dense(1)(keras.layers.Flatten()(one)) for one in inputs]
    model = keras.Model(inputs, keras.layers.Add()(sums))
    model.compile("sgd", "mse")
    names = {"class_names": ["cat", "dog"], "num_classes": 2, "anchors": anchors, "input_shape": shape}
    return {**names, "model": model, "targets": feedline.yolo.YoloTargets(2, anchors)}


GIVEN: dict[str, Callable[[], Names]] = {
    "README.md": readme,
    "docs/compose.md": compose,
    "docs/datasets.md": datasets,
    "docs/dicom.md": slices,
    "docs/migrating.md": old_script,
    "docs/rsna.md": slices,
    "docs/sampling.md": sampling,
    "docs/security.md": secured,
    "docs/user-code.md": code_of_users,
    "docs/yolo.md": yolo,
}
"""By page; others take `usual` as given."""


def main(page: str) -> None:
    """Make what is given, and run."""
    names = GIVEN.get(page, usual)()
    names |= {name: getattr(feedline, name) for name in ("BatchSequence", "ImageDataset")}
    blocks = blocks_of(page)
    for number, block in enumerate(blocks):
        for there, here in FOLDERS.items():
            block = block.replace(there, here)  # noqa: PLW2901 - the same block, for this place
        exec(compile(block, f"{page}, block {number}", "exec"), names)
    sys.stdout.write(f"ran {len(blocks)} blocks\n")


if __name__ == "__main__":
    import feedline.yolo

    main(sys.argv[1])
