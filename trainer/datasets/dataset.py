"""`ImageDataset`: a table of samples, and all ways to make one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from feedline.common.errors import DatasetError
from feedline.common.sample.companions import Role
from feedline.common.sample.dicom import Repair
from feedline.common.signatures import suggests
from feedline.trainer.datasets import concatenation, folders, folds, frames, rsna_csv, splits
from feedline.trainer.datasets.annotations import coco, voc, yolo3, yolo_txt
from feedline.trainer.datasets.annotations.gathering import Wanted
from feedline.trainer.datasets.annotations.voc import VOC_CLASSES
from feedline.trainer.datasets.bad_rows import BadRows, DroppedRow
from feedline.trainer.datasets.boxes import own_boxes, refuse_fractions
from feedline.trainer.datasets.dicom import neighbours, reading
from feedline.trainer.datasets.further import with_mask_values
from feedline.trainer.datasets.keras_split import KerasSplit
from feedline.trainer.datasets.lists import read_lists
from feedline.trainer.datasets.table import SampleTable
from feedline.trainer.datasets.unchanging import unchanging

if TYPE_CHECKING:
    import pandas as pd

_ELSEWHERE = "it is an argument of BatchSequence"
_OF_SEQUENCES_ALONE = {
    "batch_size": _ELSEWHERE,
    "color_mode": _ELSEWHERE,
    "image_size": _ELSEWHERE,
    "interpolation": _ELSEWHERE,
    "target_size": "it is image_size= of BatchSequence",
    "rescale": "BatchSequence(transforms=[Rescaling(...)]) does it",
}
"""What Keras' functions of the same names take, and is said to a `BatchSequence` here."""

_OF_SEQUENCES = {**_OF_SEQUENCES_ALONE, "shuffle": _ELSEWHERE, "seed": f"{_ELSEWHERE}, and of split()"}

Path: TypeAlias = str | os.PathLike[str]
"""The name of a file or folder."""


@unchanging
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ImageDataset(SampleTable):
    """Samples that a `BatchSequence` delivers; made by one of the ``from_`` constructors.

    Its attributes are those of `SampleTable`.

    Examples
    --------
    >>> ImageDataset.from_lists(["a.png", "b.png", "c.png"], labels=[0, 1, 0])
    ImageDataset(3 samples, targets=[() int64])
    """

    @classmethod
    @suggests(**_OF_SEQUENCES, dataframe="the frame is called frame=", subset="split(...) makes both sides")
    def from_dataframe(
        cls,
        frame: pd.DataFrame,
        directory: Path | None = None,
        x_col: Any = "filename",
        y_col: Any = "class",
        *,
        class_mode: str | None = "categorical",
        weight_col: Any = None,
        classes: Sequence[Any] | Mapping[Any, int] | None = None,
        validate_filenames: bool = True,
        mask_values: Mapping[Any, int] | None = None,
        on_bad_row: str = "raise",
    ) -> Self:
        """Make a dataset of a frame's rows, with the arguments of Keras' ``flow_from_dataframe``.

        Parameters
        ----------
        frame : pandas.DataFrame
            One row per sample.
        directory : path, optional
            What the file names are relative to.
        x_col : str, int or sequence of them
            Column of file names; several for models of several inputs. Numbers name the columns of a frame
            without a header.
        y_col : str, int or sequence of them
            Column of labels; several for "raw" and "multi_output", and of file names for "mask" and "image".
            Not read by "input" and None.
        class_mode : str or None
            "categorical", "binary", "sparse", "raw", "multi_output", "mask", "image", "input", None: see the
            table in `feedline.trainer.datasets.labels`.
        weight_col : str or int, optional
            Column of sample weights, 0 or more.
        classes : sequence of str, int or bool, or mapping of them to int, optional
            Classes in the order of their indices, or the index of each, 0 and so on; rows of others are left
            out. Default: those found, sorted.
        validate_filenames : bool
            Leave out rows without a file, with one warning. False: only producers see the images.
        mask_values : dict, optional
            The class of each value, or of each colour, that the files of masks hold: ``{255: 1}`` or
            ``{(128, 0, 0): 1}``. 0 and black are class 0. Default: values are classes.
        on_bad_row : {"raise", "drop"}
            What a row that cannot be used is: an error, or left out and
            listed in `dropped`.

        Raises
        ------
        DatasetError, ConfigurationError
            If a column or a cell cannot be used or no file exists; if the arguments do not go together.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"filename": ["a.png", "b.png"], "class": ["cat", "dog"]})
        >>> ImageDataset.from_dataframe(frame, "images", validate_filenames=False)
        ImageDataset(2 samples, 2 classes, targets=[(2,) float32], directory='images')
        """
        directory = None if directory is None else os.fspath(directory)
        request = frames.FrameRequest(directory, x_col, y_col, weight_col, class_mode, classes)
        bad_rows = BadRows.of(on_bad_row)
        table = frames.read_frame(frame, request, validate_filenames=validate_filenames, bad_rows=bad_rows)
        table = replace(table, further=with_mask_values(table.further, mask_values))
        return replace(cls.of_parts(table), target_is_input=class_mode == "input")

    @classmethod
    @suggests()
    def from_lists(
        cls,
        paths: Sequence[Path],
        labels: Any = None,
        *,
        weights: Any = None,
        inputs: Sequence[Sequence[Path]] = (),
        target_images: Sequence[Path] | None = None,
        masks: Sequence[Path] | None = None,
        boxes: Sequence[Any] | None = None,
        directory: Path | None = None,
        class_names: Sequence[str] | None = None,
        mask_values: Mapping[Any, int] | None = None,
    ) -> Self:
        """Make a dataset of file names, labels and boxes as they are.

        Parameters
        ----------
        paths : sequence of path
            File names; whether they exist is not asked.
        labels : array-like, optional
            Numbers of shape (N,) or (N, K), as they are; or class names of shape (N,), which become int32.
        weights : array-like, optional
            Shape (N,), 0 or more.
        inputs : sequence of sequences of path
            File names of further inputs, each one for each path.
        target_images, masks : sequence of path, optional
            File names of images to predict, and of images whose pixels are class numbers.
        boxes : sequence of array-like, optional
            One for each path, of shape (num_boxes, 5) as in the attribute; ``[]`` where there is none.
        directory : path, optional
            What the file names are relative to.
        class_names : sequence of str, optional
            In the order of their indices. Default: those that labels have, sorted, if labels are names.
        mask_values : dict, optional
            As in `from_dataframe`.

        Raises
        ------
        DatasetError
            If lengths differ, or a cell cannot be used.

        Examples
        --------
        >>> ImageDataset.from_lists(["a.png", "b.png"], labels=[[0.0, 1.0], [1.0, 0.0]])
        ImageDataset(2 samples, targets=[(2,) float64])
        """
        directory = None if directory is None else os.fspath(directory)
        if isinstance(inputs, str) or not isinstance(inputs, Iterable) or any(one is None for one in inputs):
            raise DatasetError(f"inputs must be a list of lists of file names, got {inputs!r}")
        given = [*((Role.INPUT, names) for names in inputs), (Role.TARGET, target_images), (Role.MASK, masks)]
        table = read_lists(paths, labels, weights, given, directory, class_names)
        further = with_mask_values(table.further, mask_values)
        data = cls.of_parts(replace(table, boxes=own_boxes(boxes), further=further))
        refuse_fractions(data.boxes)
        return data

    @classmethod
    @suggests(**_OF_SEQUENCES_ALONE)
    def from_directory(
        cls,
        directory: Path,
        *,
        labels: str | None = "inferred",
        label_mode: str | None = "int",
        class_names: Sequence[str] | None = None,
        follow_links: bool = False,
        validation_split: float | None = None,
        subset: str | None = None,
        seed: int | None = None,
        shuffle: bool = True,
    ) -> Any:  # one dataset, or two of them
        """Make a dataset of the images in a folder, as Keras' ``image_dataset_from_directory`` does.

        Files ending in .bmp, .gif, .jpeg, .jpg or .png, in upper or lower case, are taken, in the
        class folders and in folders inside them: class by class, then sorted by folder and name.

        Parameters
        ----------
        directory : path
            Holds one folder per class, or images if there are no labels.
        labels : {"inferred", None}
            "inferred": the sorted folder names are the classes. None: all images below, no labels.
        label_mode : {"int", "categorical", "binary", None}
            Targets of shape (N,) int32, (N, num_classes) float32 or (N, 1) float32; None: as `labels`.
        class_names : sequence of str, optional
            Folders to take, in the order of their class indices.
        follow_links : bool
            Follow symbolic links to folders inside class folders.
        validation_split : float, optional
            Share of the files to hold out, strictly between 0 and 1; goes together with `subset`.
        subset : {"training", "validation", "both"}, optional
            Which side to take: the same files as Keras takes for the same arguments, in Keras' order.
        seed : int, optional
            Of the order in which files are drawn; needed for a split, unless `shuffle` is False.
        shuffle : bool
            Of a split: False holds out the last files of the sorted list, which are of the last classes.

        Returns
        -------
        ImageDataset
            Or, of "both", a tuple of two: training, validation.

        Raises
        ------
        DatasetError, ConfigurationError
            If there are no images, saying what there is; if the arguments do not go together.
        """
        split = KerasSplit.of(validation_split, subset, seed, shuffle=shuffle)
        request = folders.FolderRequest(os.fspath(directory), labels, label_mode, class_names, follow_links)
        data = cls.of_parts(folders.read_folder(request))
        if split is None:
            return data
        sides = tuple(data.subset(rows) for rows in split.sides(len(data)))
        return sides if len(sides) > 1 else sides[0]

    @classmethod
    @suggests()
    def from_coco(
        cls,
        path: Path,
        directory: Path | None = None,
        *,
        boxes: bool | str = True,
        masks: bool = False,
        crowds: bool = False,
        ignore_keypoints: bool = False,
        validate_filenames: bool = True,
        on_bad_row: str = "raise",
    ) -> Self:
        """Make a dataset of COCO's object detection annotations.

        Parameters
        ----------
        path : path
            Such as ``instances_train2017.json``. Images come in its order, also those without annotations.
        directory : path, optional
            What the images' file names are relative to.
        boxes : bool or "segmentation"
            Deliver boxes: ``bbox``, or where there is none, or with "segmentation", that around
            the ``segmentation``.
        masks : bool
            Deliver a mask of each image, drawn by its producer: 0 where there is no object, class number
            plus 1 inside of one; of objects that overlap, that which comes last.
        crowds : bool
            Take crowds (``iscrowd``), too.
        ignore_keypoints : bool
            Take annotations with keypoints, and leave those out. Otherwise they are an error.
        validate_filenames : bool
            Leave out images without a file, with one warning. False: only producers see the images.
        on_bad_row : {"raise", "drop"}
            What a annotation that cannot be used is: an error, or left out and
            listed in `dropped`.

        Returns
        -------
        ImageDataset
            Classes are counted from 0 in the order of the categories' ids: COCO's own ids have gaps.

        Raises
        ------
        DatasetError
            If something cannot be used; names the file and the id of the annotation.
        """
        request = coco.CocoRequest(boxes, masks, crowds, ignore_keypoints)
        return cls.of_parts(
            coco.read_coco(
                path, directory, request, validate_filenames=validate_filenames, on_bad_row=on_bad_row
            )
        )

    @classmethod
    @suggests()
    def from_voc(
        cls,
        directory: Path,
        image_set: str | None = "trainval",
        *,
        class_names: Sequence[str] = VOC_CLASSES,
        difficult: bool = False,
        validate_filenames: bool = True,
        on_bad_row: str = "raise",
    ) -> Self:
        """Make a dataset of annotations in Pascal VOC's form.

        Parameters
        ----------
        directory : path
            Such as ``VOCdevkit/VOC2007``: holds ``Annotations/<name>.xml`` and ``JPEGImages/<filename>``.
        image_set : str or None
            Which images: those that ``ImageSets/Main/<image_set>.txt`` lists; None: all with an annotation.
        class_names : sequence of str
            In the order of their indices.
        difficult : bool
            Take objects that are marked as difficult (``1`` or ``true``), too.
        validate_filenames : bool
            Leave out images without a file, with one warning. False: only producers see the images.
        on_bad_row : {"raise", "drop"}
            What a object, or a file, that cannot be used is: an error, or left out and
            listed in `dropped`.

        Raises
        ------
        DatasetError
            If a file cannot be used; names it and the line.
        """
        return cls.of_parts(
            voc.read_voc(
                directory,
                image_set,
                class_names=class_names,
                difficult=difficult,
                validate_filenames=validate_filenames,
                on_bad_row=on_bad_row,
            )
        )

    @classmethod
    @suggests()
    def from_yolo3_annotations(
        cls,
        path: Path,
        directory: Path | None = None,
        *,
        class_names: Sequence[str] | None = None,
        validate_filenames: bool = True,
        on_bad_row: str = "raise",
    ) -> Self:
        """Make a dataset of an annotation file of the Keras YOLOv3 (qqwweee/keras-yolo3).

        Parameters
        ----------
        path : path
            The file: ``path x1,y1,x2,y2,class ...`` in each line, in pixels, whole or not. A line may have no
            box, and empty lines are skipped.
        directory : path, optional
            What the images' paths are relative to; by default the current directory.
        class_names : sequence of str, optional
            In the order of their indices.
        validate_filenames : bool
            Leave out images without a file, with one warning. False: only producers see the images.
        on_bad_row : {"raise", "drop"}
            What a box that cannot be used is: an error, or left out and
            listed in `dropped`.

        Raises
        ------
        DatasetError
            If a line cannot be used; names the file and the line.
        """
        return cls.of_parts(
            yolo3.read_yolo3(
                path,
                directory,
                class_names=class_names,
                validate_filenames=validate_filenames,
                on_bad_row=on_bad_row,
            )
        )

    @classmethod
    @suggests()
    def from_yolo_txt(
        cls,
        images: Path,
        labels: Path | None = None,
        *,
        class_names: Sequence[str] | None = None,
        boxes: bool = True,
        masks: bool = False,
        on_bad_row: str = "raise",
    ) -> Self:
        """Make a dataset of images and text files with a line for each object.

        Parameters
        ----------
        images : path
            A folder of images, in folders or not. Their headers are read here: this process must see them.
        labels : path, optional
            The folder of ``<same path>.txt``; by default that of `images` with its last ``images``
            replaced by ``labels``. An image without a file has no boxes.
        class_names : sequence of str, optional
            In the order of their indices.
        boxes : bool
            Deliver boxes: those of lines ``class x y width height``, and around those of lines ``class x1
            y1 x2 y2 x3 y3 ...``.
        masks : bool
            Deliver a mask of each image, drawn by its producer: 0 where there is no object, class number
            plus 1 inside of one; of objects that overlap, that which comes last.
        on_bad_row : {"raise", "drop"}
            What a line, or an image that has lines, that cannot be used is: an error, or left out and
            listed in `dropped`.

        Raises
        ------
        DatasetError
            If something cannot be used; names the file and the line.
        """
        return cls.of_parts(
            yolo_txt.read_yolo_txt(
                images, labels, class_names=class_names, wanted=Wanted(boxes, masks), on_bad_row=on_bad_row
            )
        )

    @classmethod
    @suggests()
    def from_rsna_csv(
        cls,
        csv: Path,
        directory: Path,
        extension: str = "dcm",
        *,
        validate_filenames: bool = True,
        on_bad_row: str = "raise",
    ) -> Self:
        """Make a dataset of the RSNA haemorrhage competition's label file and image folder.

        Images come in the order in which the file first names them. Rows that repeat an earlier one are
        dropped. Pixels that some of the competition's files store wrapped are repaired: see
        `with_dicom_reading`.

        Parameters
        ----------
        csv : path
            ``stage_2_train.csv``: the header ``ID,Label``, then rows ``ID_<hex>_<subtype>,<0 or 1>``.
        directory : path
            Holds the images, ``ID_<hex>.<extension>``.
        extension : {"dcm", "png"}
            What the images' names end in.
        validate_filenames : bool
            Leave out images without a file, with one warning. False: only producers see the images.
        on_bad_row : {"raise", "drop"}
            What a row that cannot be used is, or an image without all of its labels: an error, or left out
            and listed in `dropped`.

        Returns
        -------
        ImageDataset
            Labels of shape (N, 6) float32, in the order of `SUBTYPES`, which is `class_names`. `columns` has
            each label under its name, ``"image"`` (``ID_<hex>``) and ``"filename"``.

        Raises
        ------
        DatasetError
            If a row cannot be read, rows contradict each other or an image lacks a label; names it. If no
            file exists.
        ConfigurationError
            If `extension` is another one.
        """
        parts = rsna_csv.read_rsna_csv(
            csv, directory, extension, validate_filenames=validate_filenames, on_bad_row=on_bad_row
        )
        return cls.of_parts(parts).with_dicom_reading(repair=Repair.RSNA)

    @property
    def dropped(self) -> pd.DataFrame:
        """What ``on_bad_row="drop"`` has left out: ``where`` it stands, and the ``reason``."""
        import pandas as pd  # noqa: PLC0415 - datasets of lists and folders need none

        return pd.DataFrame(self.dropped_rows, columns=list(DroppedRow._fields))

    concatenate = classmethod(concatenation.concatenate)
    split = splits.split
    k_fold = folds.k_fold
    with_dicom_index = neighbours.with_dicom_index
    with_dicom_reading = reading.with_dicom_reading
