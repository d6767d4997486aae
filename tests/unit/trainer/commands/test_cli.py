"""`feedline`: quick help, plain errors, exit statuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from feedline.common.extras import what_is_missing
from feedline.errors import BatchError, DatasetError, InterruptedWaitError
from feedline.trainer.commands import demo
from feedline.trainer.commands.cli import COMMANDS, main, plain_sentence
from feedline.trainer.console.cache_dir import default_cache_dir

HEAVY = ("cv2", "keras", "matplotlib", "numpy", "pandas", "skimage", "sklearn", "tensorflow", "tqdm", "zmq")

HELP_AND_LIST_MODULES = f"""
import sys
from feedline.trainer.commands.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0, end.code
sys.exit(", ".join(name for name in {HEAVY} if name in sys.modules) or 0)
"""


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_that_takes_time(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP_AND_LIST_MODULES, *words], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: feedline")


def test_help_lists_every_command_with_a_summary_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])

    text = capsys.readouterr().out
    assert "feedline demo" in text
    assert all(f"    {name}" in text for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["dance"], "invalid choice: 'dance'"),
        (["demo", "--epochs", "0"], "argument --epochs: expected a whole number of 1 or more, got '0'"),
        (
            ["demo", "--image-size", "8"],
            "argument --image-size: expected a whole number of 16 or more, got '8'",
        ),
        (["demo", "--batch-size", "many"], "expected a whole number of 1 or more, got 'many'"),
        (["demo", "--workers", "2", "--endpoint", "tcp://127.0.0.1:5555"], "not allowed with argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options_are_quoted_with_what_was_expected(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)

    assert end.value.code == 2
    assert sentence in capsys.readouterr().err


def test_an_error_is_one_plain_sentence_and_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "flowers"

    status = main(["demo", "--directory", str(missing), "--out", str(tmp_path / "out")])

    assert status == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("feedline demo: ")
    assert str(missing) in line


def test_an_out_folder_that_cannot_be_made_is_said_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")

    assert main(["demo", "--out", str(tmp_path / "file" / "out")]) == 1

    assert "Choose another --out" in capsys.readouterr().err


def test_a_bench_of_automatic_numbers_has_loads_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--workers", "auto", "--make", "rsna"]) == 1
    assert "--workers auto has loads of its own: leave out --corpus and --make" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--insecure", "--keys=keys"])
def test_trust_without_an_endpoint_is_refused(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", option, "--out", str(tmp_path)]) == 1

    assert "--endpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (DatasetError("no images in 'flowers'"), 1, "feedline demo: no images in 'flowers'\n"),
        (BatchError("a\x1b[2J.png: cut off"), 1, "feedline demo: a\\x1b[2J.png: cut off\n"),
        (
            ModuleNotFoundError("No module named 'keras'", name="keras"),
            1,
            f"feedline demo: {what_is_missing('keras')}\n",
        ),
        (KeyboardInterrupt(), 130, "feedline demo: interrupted\n"),
        (InterruptedWaitError("Ctrl-C"), 130, "feedline demo: interrupted\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_ends_a_command_decides_its_status(
    raised: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(_args: object) -> int:
        raise raised

    monkeypatch.setattr(demo, "run", run)

    assert main(["demo"]) == status
    assert capsys.readouterr().err == said


TRACE = "\nTraceback (most recent call last):\n  File ...\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a.jpg: cut off", "a.jpg: cut off"),
        (f"a.jpg: cut off (producer 1){TRACE}DecodeError: a.jpg: cut off", "a.jpg: cut off (producer 1)"),
        (f"producers die:{TRACE}NameError: no 'x'\n", "producers die: NameError: no 'x'"),
        (f"producers die:{TRACE}MemoryError", "producers die: MemoryError"),
    ],
)
def test_of_a_producers_traceback_only_the_reason_is_said(text: str, sentence: str) -> None:
    assert plain_sentence(BatchError(text)) == sentence


def test_a_missing_module_of_our_own_is_a_fault_and_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_args: object) -> int:
        raise ModuleNotFoundError(name="feedline.gone")

    monkeypatch.setattr(demo, "run", run)

    with pytest.raises(ModuleNotFoundError):
        main(["demo"])


@pytest.mark.parametrize(("xdg", "expected"), [("/caches", "/caches/feedline"), ("", "/me/.cache/feedline")])
def test_tiles_are_kept_where_the_xdg_convention_says(
    xdg: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    monkeypatch.setenv("HOME", "/me")

    assert default_cache_dir() == Path(expected)
