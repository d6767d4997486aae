"""A preview shows what is delivered, to the last byte, and disturbs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from images import SIZE, numbered, write_images

from feedline import BatchSequence, ImageDataset
from feedline.errors import ConfigurationError
from feedline.trainer.commands.cli import main
from feedline.trainer.preview import preview
from feedline.transforms import RandomBrightness

NUM_ROWS = 10


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    return numbered(tmp_path_factory.mktemp("images"), NUM_ROWS)


@pytest.fixture
def sequence(data: ImageDataset) -> Iterator[BatchSequence]:
    """Shuffled and augmented, its outputs by names."""
    with BatchSequence(
        data,
        batch_size=4,
        image_size=SIZE,
        transforms=[RandomBrightness(0.5)],
        workers=1,
        output_names=["row"],
    ) as sequence:
        yield sequence


def test_what_is_shown_is_what_is_delivered_and_what_is_on_disk(
    sequence: BatchSequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    monkeypatch.setattr("feedline.trainer.preview.picture.draw", lambda samples, *_: shown.extend(samples))
    sequence.preview(num_samples=7)
    names = sequence.filenames
    x = np.concatenate([x for x, _ in sequence])
    assert len(shown) == 7
    for number, sample in enumerate(shown):
        before, after = sample.panels
        assert np.array_equal(after.picture, x[number])
        on_disk = cv2.imread(str(Path(sequence.dataset.root, names[number])))[..., ::-1]
        assert np.array_equal(before.picture, on_disk)
        assert sample.caption.endswith(names[number])


def test_it_shows_the_epoch_that_is_under_way_and_leaves_it_whole(sequence: BatchSequence) -> None:
    first = [y["row"].tolist() for _, y in sequence]
    sweep = iter(sequence)
    rows = [next(sweep)[1]["row"].tolist()]
    named = [batch["y"].tolist() for batch in sequence.named_batches()]
    rows += [y["row"].tolist() for _, y in sweep]
    assert named == rows
    assert rows != first
    assert sorted(row for batch in rows for row in batch) == list(range(NUM_ROWS))


def test_it_is_written_as_a_picture_and_shown_by_a_notebook(sequence: BatchSequence, tmp_path: Path) -> None:
    figure = sequence.preview(tmp_path / "batch.png", num_samples=3)
    assert hasattr(figure, "savefig")
    picture = cv2.imread(str(tmp_path / "batch.png"))
    assert picture is not None
    assert picture.std() > 10


def test_what_cannot_be_written_or_shown_is_refused_in_words(sequence: BatchSequence, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot write the picture '.*nowhere/a.png'"):
        sequence.preview(tmp_path / "nowhere/a.png", num_samples=1)
    with pytest.raises(ConfigurationError, match="num_samples must be"):
        sequence.preview(num_samples=0)


def test_the_command_draws_classes_tables_and_annotations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("aster", "rose"):
        (tmp_path / "flowers" / name).mkdir(parents=True)
        write_images(tmp_path / "flowers" / name, 2)
    rows = "".join(f"{name}/000{row}.png,{name},{row}\n" for name in ("aster", "rose") for row in range(2))
    (tmp_path / "t.csv").write_text(f"file,kind,row\n{rows}")
    (tmp_path / "boxes.txt").write_text("aster/0000.png 2,3,20,15,0\n")
    few = ("--num-samples", "2", "--workers", "1", "--image-size", "24", "32")
    shown = []
    monkeypatch.setattr(
        "feedline.trainer.preview.preview._shown",
        lambda *given, shown_by=preview._shown: shown.append(shown_by(*given)) or shown[-1],
    )
    assert main(["preview", "flowers", *few, "--transform", "RandomFlip()", "--out", "a.png"]) == 0
    table = ["preview", "t.csv", *few, "--column", "file", "--directory", "flowers", "--in-order"]
    assert main([*table, "--labels", "kind", "--out", "b.png"]) == 0
    assert main([*table, "--labels", "row", "--out", "c.png"]) == 0
    assert main(["preview", "boxes.txt", *few, "--directory", "flowers", "--out", "d.png"]) == 0
    assert all((tmp_path / f"{letter}.png").stat().st_size > 1000 for letter in "abcd")
    captions = [[sample.caption for sample in samples] for samples in shown]
    assert {caption.partition("\n")[0] for caption in captions[0]} <= {"aster", "rose"}
    assert captions[1] == ["aster\naster/0000.png", "aster\naster/0001.png"]
    assert captions[2] == ["0\naster/0000.png", "1\naster/0001.png"]
    assert shown[3][0].panels[0].boxes.tolist() == [[2, 3, 20, 15, 0]]
    assert "a.png: 2 of 4 samples" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--format", "folder"], ["--labels", "a"], ["--masks", "a"], []])
def test_what_is_not_there_is_said_whatever_is_asked_of_it(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", "nosuch", *words]) == 1
    assert capsys.readouterr().err == "feedline preview: there is no file or folder 'nosuch'\n"


def test_a_file_that_is_said_to_be_a_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").touch()
    assert main(["preview", str(tmp_path / "t.csv"), "--format", "folder"]) == 1
    assert "cannot list the folder" in capsys.readouterr().err


def test_the_command_refuses_what_does_not_go_together(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("filename,a,b\nx.png,1,cat\n")
    for words, match in (
        (["--labels", "c"], "there is no column 'c'"),
        (["--labels", "a", "--labels", "b"], "all must be numbers"),
        (["--labels", "a", "--masks", "b"], "the one or the other"),
        (["--transform", "RandomFlp()"], "did you mean RandomFlip"),
    ):
        assert main(["preview", str(tmp_path / "t.csv"), *words]) == 1
        assert match in capsys.readouterr().err
