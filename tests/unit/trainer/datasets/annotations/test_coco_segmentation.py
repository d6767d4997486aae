"""COCO's ``segmentation``, by `ImageDataset.from_coco`: as boxes, and as masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotation_files import boxes_of

from feedline import ImageDataset
from feedline.common.sample.regions import GRID, Shape, parted
from feedline.errors import ConfigurationError, DatasetError
from feedline.producer.reading.regions import draw
from feedline.trainer.datasets.further import DrawnMasks

TWO_PARTS = [[1, 1, 3, 1, 3, 4], [5, 2, 8, 2, 8, 5.5, 5, 5]]
RUNS = {"counts": [8, 3, 2, 4, 33], "size": [5, 10]}
"""In columns of five: from row 3 of column 1 over its end to row 0 of column 2, then rows 3 to 1."""


def read(folder: Path, *annotations: dict[str, Any], image: Any = None, **options: Any) -> ImageDataset:
    """One image with annotations of category 4, the second of two."""
    usual = {"image_id": 1, "category_id": 4}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 10, "height": 5} if image is None else image],
        "annotations": [{"id": number, **usual, **own} for number, own in enumerate(annotations)],
        "categories": [{"id": 4, "name": "dog"}, {"id": 2, "name": "cat"}],
    }
    file = folder / "instances.json"
    file.write_text(json.dumps(content))
    return ImageDataset.from_coco(file, validate_filenames=False, **options)


def masks_of(data: ImageDataset) -> DrawnMasks:
    (masks,) = data.further
    assert isinstance(masks, DrawnMasks)
    return masks


@pytest.mark.parametrize(
    ("given", "options", "box"),
    [
        ({"segmentation": TWO_PARTS}, {}, [1, 1, 8, 5.5]),
        ({"segmentation": TWO_PARTS, "bbox": None}, {}, [1, 1, 8, 5.5]),
        ({"segmentation": TWO_PARTS, "bbox": [0, 0, 9, 5]}, {}, [0, 0, 9, 5]),
        ({"segmentation": TWO_PARTS, "bbox": [0, 0, 9, 5]}, {"boxes": "segmentation"}, [1, 1, 8, 5.5]),
        ({"segmentation": RUNS}, {}, [1, 0, 4, 5]),
        ({"segmentation": {"counts": [6, 2, 42], "size": [5, 10]}}, {}, [1, 1, 2, 3]),
        ({"segmentation": {"counts": [0, 5, 45], "size": [5, 10]}}, {}, [0, 0, 1, 5]),
    ],
)
def test_the_box_is_that_of_the_segmentation_where_there_is_no_other_or_it_is_asked_for(
    tmp_path: Path, given: dict[str, Any], options: dict[str, Any], box: list[float]
) -> None:
    assert boxes_of(read(tmp_path, given, **options)) == [[[*box, 1]]]


def test_an_object_without_a_pixel_has_no_box(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="1 without an area"):
        data = read(tmp_path, {"segmentation": {"counts": [50], "size": [5, 10]}})
    assert boxes_of(data) == [[]]


def test_masks_have_classes_from_one_on_in_the_order_of_annotations(tmp_path: Path) -> None:
    annotations = [{"segmentation": TWO_PARTS}, {"segmentation": RUNS, "category_id": 2}]
    data = read(tmp_path, *annotations, boxes=False, masks=True)
    assert data.boxes is None
    masks = masks_of(data)
    size, regions = parted(masks.regions[0])
    listed = list(regions)
    assert (size, masks.highest) == ((5, 10), 2)
    assert [(region.value, region.shape) for region in listed] == [
        (2, Shape.POLYGON),
        (2, Shape.POLYGON),
        (1, Shape.RUNS),
    ]
    assert (listed[1].numbers / GRID).tolist() == TWO_PARTS[1]
    assert listed[2].numbers.tolist() == RUNS["counts"]


def compressed(counts: list[int]) -> str:
    """As ``rleToString`` of COCO's maskApi.c writes them."""
    text = ""
    for place, count in enumerate(counts):
        value, more = count - (counts[place - 2] if place > 2 else 0), True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(bits + 48 + (32 if more else 0))
    return text


@pytest.mark.parametrize("seed", range(5))
def test_compressed_runs_are_those_that_were_compressed(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3000, 99).tolist()
    height, width = 10, -(-sum(counts) // 10)
    counts.append(height * width - sum(counts))
    image = {"id": 1, "file_name": "a.png", "width": width, "height": height}
    given = [{"segmentation": {"counts": c, "size": [height, width]}} for c in (counts, compressed(counts))]
    plain, packed = (masks_of(read(tmp_path, one, image=image, masks=True)).regions[0] for one in given)
    assert packed.tolist() == plain.tolist()
    assert boxes_of(read(tmp_path, given[0], image=image)) == boxes_of(read(tmp_path, given[1], image=image))
    rows, columns = np.nonzero(draw(plain, "uint8"))
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, 1]
    assert boxes_of(read(tmp_path, given[0], image=image)) == [[box]]


def test_a_known_text_is_the_runs_that_it_stands_for(tmp_path: Path) -> None:
    """Worked out by hand from maskApi.c: 6, 1, 40 = 8 + 32 * 1, and then 4 more than the 1 two before."""
    image = {"id": 1, "file_name": "a.png", "width": 13, "height": 4}
    given = {"segmentation": {"counts": "61X14", "size": [4, 13]}}
    (region,) = parted(masks_of(read(tmp_path, given, image=image, masks=True)).regions[0])[1]
    assert region.numbers.tolist() == [6, 1, 40, 5]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "expected segmentation to be a list of polygons"),
        ({"segmentation": []}, "expected segmentation to be a list of polygons"),
        ({"segmentation": [1, 2, 3, 4, 5, 6]}, "expected segmentation to be a list of polygons"),
        ({"segmentation": [["1", 2, 3, 4, 5, 6]]}, "expected segmentation to be a list of polygons"),
        ({"segmentation": [[1, 2, 3, 4]]}, r"expected a polygon \[x1, y1.*, got 4 numbers"),
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "expected a polygon .*, got 7 numbers"),
        ({"segmentation": [[1, 2, 3, float("nan"), 5, 6]]}, "expected corners of a polygon in pixels"),
        ({"segmentation": [[1, 2, 3, 1e9, 5, 6]]}, "expected corners of a polygon in pixels"),
        (
            {"segmentation": {"counts": [50]}},
            r"expected segmentation to have size=\[height, width\], got None",
        ),
        ({"segmentation": {"counts": [50], "size": [10, 5]}}, r"has size=\[10, 5\], and the image \[5, 10\]"),
        ({"segmentation": {"counts": [49], "size": [5, 10]}}, "come to 49 pixels, .* has 50"),
        ({"segmentation": {"counts": [51, -1], "size": [5, 10]}}, "come to 50 pixels"),
        ({"segmentation": {"counts": [1.5], "size": [5, 10]}}, "expected counts to be a list of whole"),
        ({"segmentation": {"counts": "é", "size": [5, 10]}}, "'é' does not occur in compressed counts"),
        ({"segmentation": {"counts": "T", "size": [5, 10]}}, "the compressed counts are cut off"),
    ],
)
def test_what_is_no_outline_is_refused_with_its_annotation(
    tmp_path: Path, given: dict[str, Any], text: str
) -> None:
    with pytest.raises(DatasetError, match=f"instances.json, annotation 0: .*{text}|annotation 0: {text}"):
        read(tmp_path, {"bbox": [0, 0, 9, 5], **given}, masks=True)


def test_a_mask_needs_the_size_of_its_image(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="image 1: a mask needs the height and width of its image"):
        read(tmp_path, image={"id": 1, "file_name": "a.png"}, masks=True)


def test_crowds_are_in_masks_when_asked_for(tmp_path: Path) -> None:
    crowd = {"segmentation": RUNS, "iscrowd": 1, "bbox": [0, 0, 9, 5]}
    assert len(masks_of(read(tmp_path, crowd, masks=True)).regions[0]) == 2
    assert len(masks_of(read(tmp_path, crowd, masks=True, crowds=True)).regions[0]) > 2


def test_keypoints_are_refused_in_words_and_left_out_when_asked_for(tmp_path: Path) -> None:
    given = {"bbox": [0, 0, 9, 5], "keypoints": [1, 2, 2], "num_keypoints": 1}
    with pytest.raises(DatasetError, match=r"annotation 0 has keypoints, .* pass ignore_keypoints=True"):
        read(tmp_path, given)
    assert boxes_of(read(tmp_path, given, ignore_keypoints=True)) == [[[0, 0, 9, 5, 1]]]
    assert boxes_of(read(tmp_path, given | {"keypoints": []})) == [[[0, 0, 9, 5, 1]]]


def test_other_boxes_than_there_are_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r'boxes must be True, False or "segmentation", got \'bbox\''
    ):
        read(tmp_path, boxes="bbox")
