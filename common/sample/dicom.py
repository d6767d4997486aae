"""How a job reads DICOM files, where their headers alone do not say it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from feedline.common.arguments import one_of


class Repair(StrEnum):
    """What is known to be wrong with the values of all files, and is put right."""

    NONE = "none"
    """Nothing: headers are believed."""

    RSNA = "rsna"
    """Some unsigned files of the RSNA haemorrhage competition, whose values below 0 were wrapped."""


class Seen(StrEnum):
    """Which values of a grey file become black and white, in a job for pictures."""

    FILE = "file"
    """Those of its own window or table; without one, all that its words could hold."""

    MINMAX = "minmax"
    """The lowest and the highest that it has."""

    PERCENTILES = "percentiles"
    """Those that 1 % of its pixels lie below, and above: a few bright pixels do not darken all others."""


@dataclass(frozen=True, slots=True)
class DicomReading:
    """What a dataset says of its DICOM files.

    Attributes
    ----------
    repair : str
        A `Repair`, of values that become Hounsfield units.
    window : str
        A `Seen`, of values that become a picture.

    Raises
    ------
    ConfigurationError
        If a value cannot work; quotes it.
    """

    repair: str = Repair.NONE
    window: str = Seen.FILE

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        object.__setattr__(self, "repair", one_of(Repair, "repair", self.repair))
        object.__setattr__(self, "window", one_of(Seen, "window", self.window))

    def changed(self, **values: Any) -> Self:
        """The same with other values; those of None stay."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})

    def to_wire(self) -> list[Any]:
        """Plain values for msgpack."""
        return [str(self.repair), str(self.window)]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> DicomReading:
        """Undo `to_wire`."""
        repair, window = wire
        return cls(repair, window)


AS_STORED = DicomReading()
"""Nothing is said."""
