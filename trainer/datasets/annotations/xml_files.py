"""XML files as elements that know their lines, in the encoding that they declare."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from feedline.common.errors import DatasetError
from feedline.trainer.datasets.annotations.texts import bytes_of, marked_encoding

_DECLARED = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][\w.-]*)["']""")
_UNMARKED = {b"<\0?\0": "utf-16-le", b"\0<\0?": "utf-16-be"}
"""How a declaration begins where it cannot be read yet ("Extensible Markup Language 1.0", appendix F)."""

_WIDER = {"gb2312": "gb18030", "gbk": "gb18030"}
"""Encodings whose name stands on texts with characters of a larger one that has all of theirs."""


class XmlFile:
    """One XML file.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it is, for errors.

    Attributes
    ----------
    root : Element
        Its outermost element.

    Raises
    ------
    DatasetError
        If it cannot be read, with the line if there is one.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self._lines: dict[Element, int] = {}
        self._builder = TreeBuilder()
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._builder.end
        self._parser.CharacterDataHandler = self._builder.data
        try:
            # Of what is text already the parser does not believe the declaration.
            self._parser.Parse(_decoded(bytes_of(path, what), path), True)
        except expat.ExpatError as error:
            raise DatasetError(f"{path}, line {error.lineno}: not XML: {error}") from error
        self.root = self._builder.close()

    def text(self, parent: Element, tag: str, default: str | None = None) -> str:
        """What an element inside `parent` says; DatasetError if there is none and no default."""
        found = parent.findtext(tag, default)
        if found is None:
            raise DatasetError(f"{self.where(parent)}: expected <{tag}> in <{parent.tag}>, and there is none")
        return found.strip()

    def where(self, element: Element) -> str:
        """File and line, for an error."""
        return f"{self.path}, line {self._lines[element]}"

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        self._lines[self._builder.start(tag, attributes)] = self._parser.CurrentLineNumber


def _decoded(data: bytes, path: Path) -> str:
    encoding = _encoding_of(data)
    try:
        return data.decode(_WIDER.get(encoding.lower(), encoding))
    except LookupError as error:
        raise DatasetError(f"{path}: declares encoding={encoding!r}, which Python does not know") from error
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path}: {error}: save it as UTF-8, or say in its first line what it is written in, such as"
            " <?xml version='1.0' encoding='ISO-8859-1'?>"
        ) from error


def _encoding_of(data: bytes) -> str:
    declared = _DECLARED.match(data)
    return (
        marked_encoding(data)
        or _UNMARKED.get(data[:4])
        or (declared.group(1).decode("ascii") if declared else "utf-8")
    )
