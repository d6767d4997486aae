"""Code of the user's: which modules a producer may import, and from where.

Whoever starts a producer chooses what runs in it. A trainer names functions and classes, ``"module:name"``,
and gets those that are defined in a module its producer's operator has allowed; nothing else is imported,
looked up or evaluated on its word. Embedded producers are the trainer's own child processes: what it names
was chosen where they were started.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from feedline.common.errors import UserCodeError
from feedline.common.user_code import check_reference

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plugins:
    """The operator's choice.

    Attributes
    ----------
    allowed : tuple of str
        Modules, each with all that lies in it: ``my_package`` allows ``my_package.augment``, too.
    allows_any : bool
        Whoever names modules here has the operator's rights.
    """

    allowed: tuple[str, ...] = ()
    allows_any: bool = False

    def load(self, reference: str) -> Any:
        """Import a module and return the function or class of that name in it.

        Parameters
        ----------
        reference : str
            ``"module:name"``.

        Raises
        ------
        UserCodeError
            It is not allowed here, is not there or cannot be imported; says what to do.
        """
        module_name, _, name = check_reference("user code", reference).partition(":")
        if not self._allows(module_name):
            raise UserCodeError(
                f"this producer may not run {reference}, which is defined in the module {module_name}: if"
                f" that is wanted, its operator starts it with --allow {module_name}"
            )
        module = _imported(module_name)
        found = getattr(module, name, None)
        if not callable(found):
            raise UserCodeError(f"{reference}: {_file_of(module)} has no function or class {name!r}")
        # A name that a module has imported is not its own: else "my_module:system" would be os.system.
        home = str(getattr(found, "__module__", None))
        if not self._allows(home):
            raise UserCodeError(
                f"this producer may not run {reference}, which is defined in the module {home}, not in"
                f" {module_name}: define a function of that name there, which calls it"
            )
        return found

    def _allows(self, module_name: str) -> bool:
        return self.allows_any or any(
            module_name == a or module_name.startswith(f"{a}.") for a in self.allowed
        )


NO_PLUGINS = Plugins()


def add_import_paths(folders: Iterable[str]) -> None:
    """Let modules be found in `folders`, too, after all others: no ``common.py`` may shadow ours."""
    sys.path.extend(folder for folder in folders if folder not in sys.path)


_changed_ns: dict[str, int] = {}
"""When the file of a module was last changed, as it was imported here or as was warned of."""


def _imported(module_name: str) -> ModuleType:
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a script's last line, which must not end a producer
        raise UserCodeError(_why_not_imported(module_name, error)) from error
    _warn_if_changed(module)
    return module


def _warn_if_changed(module: ModuleType) -> None:
    """Python keeps a module as it was imported, whatever becomes of its file."""
    file = getattr(module, "__file__", None)
    if not file:
        return
    with suppress(OSError):
        changed_ns = Path(file).stat().st_mtime_ns
        if changed_ns != _changed_ns.setdefault(file, changed_ns):
            _changed_ns[file] = changed_ns
            logger.warning(
                f"{file} has changed, and this producer goes on with what it imported before. Producers that"
                " are started anew import it anew: close all sequences of theirs, and their pool, first"
            )


def _file_of(module: ModuleType) -> str:
    """Where it was found; a package without ``__init__.py``, and what is built in, is no file."""
    return getattr(module, "__file__", None) or f"the module {module.__name__}"


def _why_not_imported(module_name: str, error: BaseException) -> str:
    text = f"the module {module_name} cannot be imported here: {type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError) and error.name and module_name.startswith(error.name):
        text += (
            f". It was looked for in {[folder for folder in sys.path if folder]}; --import-path DIR of"
            " feedline-producer adds a folder, and embedded producers look where the trainer does when its"
            " first sequence is made"
        )
    return text
