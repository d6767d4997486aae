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


@dataclass(frozen=True, slots=True)
class DicomReading:
    """What a dataset says of its DICOM files.

    Attributes
    ----------
    repair : str
        A `Repair`, of values that become Hounsfield units.

    Raises
    ------
    ConfigurationError
        If a value cannot work; quotes it.
    """

    repair: str = Repair.NONE

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        object.__setattr__(self, "repair", one_of(Repair, "repair", self.repair))

    def changed(self, **values: Any) -> Self:
        """The same with other values; those of None stay."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})

    def to_wire(self) -> list[Any]:
        """Plain values for msgpack."""
        return [str(self.repair)]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> DicomReading:
        """Undo `to_wire`."""
        (repair,) = wire
        return cls(repair)


AS_STORED = DicomReading()
"""Nothing is said."""
