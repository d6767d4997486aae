"""Nothing of the user's is imported that the operator has not allowed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import user_code

from feedline.errors import ConfigurationError, UserCodeError
from feedline.producer.plugins import NO_PLUGINS, Plugins, add_import_paths


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Modules that take down that they were imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "flowers").mkdir()
    note = "from pathlib import Path\nPath(__file__ + '.ran').touch()\n"
    for name in ("flowers/__init__.py", "flowers/petals.py", "flowers_too.py"):
        (tmp_path / name).write_text(f"{note}def f(): return {name!r}\n")
    (tmp_path / "broken.py").write_text("raise RuntimeError('not today')")
    (tmp_path / "needy.py").write_text("import nothing_of_that_name")
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("flowers")]:
        del sys.modules[name]


def imported(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.ran"))


def test_an_allowed_module_is_imported_and_what_it_defines_is_found() -> None:
    assert Plugins(("user_code",)).load("user_code:halve") is user_code.halve
    assert Plugins(("user_code",)).load("user_code:Rows") is user_code.Rows


@pytest.mark.parametrize("allowed", [(), ("flower",), ("flowers.petals.more",), ("petals",)])
def test_a_module_that_is_not_allowed_is_not_even_imported(packages: Path, allowed: tuple[str, ...]) -> None:
    with pytest.raises(UserCodeError, match=r"starts it with --allow flowers\.petals"):
        Plugins(allowed).load("flowers.petals:f")
    assert imported(packages) == []


def test_a_package_is_allowed_with_all_that_lies_in_it_and_nothing_beside_it(packages: Path) -> None:
    plugins = Plugins(("flowers",))
    assert plugins.load("flowers.petals:f")() == "flowers/petals.py"
    assert plugins.load("flowers:f")() == "flowers/__init__.py"
    with pytest.raises(UserCodeError, match="--allow flowers_too"):
        plugins.load("flowers_too:f")
    assert imported(packages) == ["flowers/__init__.py.ran", "flowers/petals.py.ran"]


def test_what_an_allowed_module_has_imported_from_elsewhere_is_not_allowed_with_it() -> None:
    with pytest.raises(UserCodeError, match="defined in the module posix"):
        Plugins(("user_code",)).load("user_code:system")


def test_whoever_has_the_operators_rights_may_name_anything() -> None:
    assert Plugins(allows_any=True).load("user_code:halve") is user_code.halve


@pytest.mark.parametrize("name", ["system", "run", "remove", "by_keyword", "shuffle", "Popen", "loader"])
def test_nothing_that_an_allowed_module_holds_of_another_is_run(packages: Path, name: str) -> None:
    """Functions, classes, partial ones, methods of instances, bound or built in, and lazily given ones."""
    (packages / "flowers/holder.py").write_text(HOLDER)
    with pytest.raises(UserCodeError, match=r"define a function of that name there|no function or class"):
        Plugins(("flowers",)).load(f"flowers.holder:{name}")


HOLDER = """
import functools, os, random, subprocess, sys
from os import system
from subprocess import Popen
run = functools.partial(os.system, "true")
remove = staticmethod(os.remove)
by_keyword = functools.partialmethod(os.system)
shuffle = random.Random(1).shuffle
sys.modules[__name__ + ".os"] = os

def __getattr__(name):
    if name == "loader":
        return __import__("importlib").import_module
    raise AttributeError(name)
"""


@pytest.mark.parametrize("module", ["flowers.holder.os", "flowers.os", "flowers.holder.subprocess"])
def test_modules_that_an_allowed_one_has_imported_are_no_part_of_it(packages: Path, module: str) -> None:
    (packages / "flowers/holder.py").write_text(HOLDER)
    plugins = Plugins(("flowers",))
    with pytest.raises(UserCodeError):
        plugins.load("flowers.holder:nothing")
    for name in ("system", "walk", "Popen", "run"):
        with pytest.raises(UserCodeError):
            plugins.load(f"{module}:{name}")


@pytest.mark.parametrize(
    "reference",
    [
        "flowers.__main__:f",
        "flowers.__init__:f",
        "flowers:__getattr__",
        "flowers:__class__",
        "flowers:__import__",
    ],
)
def test_what_is_pythons_own_is_not_looked_up(packages: Path, reference: str) -> None:
    (packages / "flowers/__main__.py").write_text("from pathlib import Path\nPath(__file__ + '.ran').touch()")
    with pytest.raises(ConfigurationError, match="which is Python's own"):
        Plugins(("flowers",)).load(reference)
    assert imported(packages) == []


def test_a_module_that_ends_the_process_as_it_is_imported_does_not(packages: Path) -> None:
    (packages / "flowers/script.py").write_text("import sys\nsys.exit(3)")
    with pytest.raises(UserCodeError, match=r"flowers\.script cannot be imported here: SystemExit: 3"):
        Plugins(("flowers",)).load("flowers.script:f")


@pytest.mark.parametrize("name", ["nothing", "random"])
def test_what_is_no_function_or_class_is_refused(name: str) -> None:
    with pytest.raises(UserCodeError, match=f"no function or class '{name}'"):
        Plugins(("user_code",)).load(f"user_code:{name}")


@pytest.mark.parametrize("reference", ["user_code", "user_code:np.save", "os.system('true')", "user_code:"])
def test_a_reference_is_looked_up_and_never_evaluated(reference: str) -> None:
    with pytest.raises(ConfigurationError, match="module:name"):
        Plugins(allows_any=True).load(reference)


@pytest.mark.usefixtures("packages")
def test_a_module_that_is_not_there_is_refused_with_where_it_was_looked_for() -> None:
    with pytest.raises(UserCodeError, match="--import-path") as caught:
        Plugins(allows_any=True).load("thistles:f")
    assert sys.path[-1] in str(caught.value)


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(
    ("module", "text"), [("broken", "RuntimeError: not today"), ("needy", "nothing_of_that_name")]
)
def test_a_module_that_fails_is_refused_with_its_reason_alone(module: str, text: str) -> None:
    with pytest.raises(UserCodeError, match=text) as caught:
        Plugins(allows_any=True).load(f"{module}:f")
    assert "--import-path" not in str(caught.value)


def test_by_default_nothing_is_allowed() -> None:
    with pytest.raises(UserCodeError, match="--allow user_code"):
        NO_PLUGINS.load("user_code:halve")


def test_folders_are_looked_in_after_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/first", "/second"])
    add_import_paths(["/third", "/first"])
    assert sys.path == ["/first", "/second", "/third"]


def test_a_module_that_has_changed_since_is_named_once(
    packages: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = packages / "flowers_too.py"
    Plugins(("flowers_too",)).load("flowers_too:f")
    Plugins(("flowers_too",)).load("flowers_too:f")
    assert caplog.messages == []
    file.write_text("def f(): return 'another'\n")
    os.utime(file, ns=(0, 0))
    for _ in range(2):
        assert Plugins(("flowers_too",)).load("flowers_too:f")() == "flowers_too.py"
    (text,) = caplog.messages
    assert text.startswith(f"{file} has changed, and this producer goes on with what it imported before")
