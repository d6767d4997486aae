"""What only pydicom reads: compressed pixels, colours, look-up tables, big endian and deflated files.

pydicom is an extra, and slow to import: that is left until the first such file.
"""

from __future__ import annotations

import importlib
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.formats.dicom import (
    DEFLATED,
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    deflated_at,
    with_preamble,
)
from feedline.common.formats.images import stored_size_of
from feedline.common.formats.names import format_of
from feedline.producer.arrays import Pixels
from feedline.producer.reading.dicom.header import PIXEL_TAGS, DicomError, PixelHeader, Table, pixel_header

REMEDY = "pip install 'feedline[dicom]' on the producer"

_MOST_INFLATED, _INFLATED_AT_A_TIME = 1 << 30, 1 << 20
"""More than the pixels of the largest picture take, of 3 bytes each."""

OPENJPEG = "pylibjpeg"
"""As pydicom calls what decodes JPEG 2000 here: pylibjpeg-openjpeg."""

_BINARY = ("US", "SS")


def read(data: bytes, why: str = "") -> tuple[PixelHeader, Pixels]:
    """Read a whole file.

    Parameters
    ----------
    data : bytes
        Of the file.
    why : str
        What is unusual about it, in a clause, for an error.

    Returns
    -------
    header : PixelHeader
    pixels : ndarray
        The words of a grey picture, shape (rows, columns), uint8 or uint16; or RGB, (rows, columns, 3).

    Raises
    ------
    DicomError
        pydicom is not installed, or cannot read it; a decoder for its compression is not.
    """
    _import("pydicom", why)
    try:
        _check_inflated(data)
        dataset = _dataset(data)
        header = _header(dataset)
        _check_decoder(dataset.file_meta.TransferSyntaxUID)
        _check_frame(dataset, header)
        return header, _pixels(dataset, header)
    except DicomError:
        raise
    except Exception as error:
        # pydicom and the decoders under it raise whatever comes to pass.
        text = " ".join(str(error).split())
        raise DicomError(f"cannot be read by pydicom ({type(error).__name__}: {text})") from error


def _import(name: str, why: str = "") -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        reason = why or "is compressed, or has colours"
        raise DicomError(f"{reason}: reading it takes pydicom, which is not installed: {REMEDY}") from None


def _dataset(data: bytes) -> Any:
    dataset = _import("pydicom").dcmread(BytesIO(with_preamble(data)), force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, is_little_endian = dataset.original_encoding
        syntaxes = EXPLICIT_BIG_ENDIAN, IMPLICIT_LITTLE_ENDIAN if is_implicit else EXPLICIT_LITTLE_ENDIAN
        dataset.file_meta.TransferSyntaxUID = syntaxes[is_little_endian]
    return dataset


def _check_inflated(data: bytes) -> None:
    """Refuse what pydicom would inflate to more than a picture takes, whatever it then says that it is."""
    start = deflated_at(data) if DEFLATED.encode() in data else None
    if start is None:
        return
    stream, rest, num_bytes = zlib.decompressobj(-zlib.MAX_WBITS), data[start:], 0
    while rest and not stream.eof:
        num_bytes += len(stream.decompress(rest, _INFLATED_AT_A_TIME))
        rest = stream.unconsumed_tail
        if num_bytes > _MOST_INFLATED:
            raise DicomError(f"is deflated, and has more than {_MOST_INFLATED:,} bytes when it is inflated")


def _check_frame(dataset: Any, header: PixelHeader) -> None:
    """Refuse a compressed picture that says of itself that it is of another size than the file says."""
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    frame = next(_import("pydicom.encaps").generate_frames(dataset.PixelData, number_of_frames=1))
    if format_of(frame) not in {"JPEG", "JPEG 2000"}:
        return
    stored, said = stored_size_of(frame), (header.rows, header.columns)
    if stored != said:
        found = "unknown size" if stored is None else f"{stored[0]} x {stored[1]} pixels"
        raise DicomError(f"holds a compressed picture of {found}, and says {said[0]} x {said[1]}")


def _header(dataset: Any) -> PixelHeader:
    header = pixel_header({tag: _bytes_of(dataset[tag]) for tag in PIXEL_TAGS if tag in dataset})
    words, display = header.words, header.display
    return header._replace(
        words=words._replace(table=_table(dataset, "ModalityLUTSequence")),
        display=display._replace(table=_table(dataset, "VOILUTSequence")),
    )


def _table(dataset: Any, keyword: str) -> Table | None:
    """The first look-up table of a sequence."""
    if not dataset.get(keyword):
        return None
    item = dataset[keyword].value[0]
    length, first, bits = item.LUTDescriptor
    length = length or 1 << 16  # which 16 bits do not hold
    entries = _entries(item["LUTData"].value, length, "<u2" if dataset.original_encoding[1] else ">u2")
    if not 8 <= bits <= 16 or len(entries) < length:
        raise DicomError(
            f"has a look-up table of {len(entries)} entries that says LUTDescriptor={item.LUTDescriptor}"
        )
    return Table(first, bits, entries[:length].tobytes(), item.get("ModalityLUTType", ""))


def _entries(value: Any, length: int, words: str) -> npt.NDArray[Any]:
    if not isinstance(value, bytes):
        return np.array(value, "<u2", ndmin=1)
    is_packed = len(value) < 2 * length  # into bytes, as entries of 8 bits may be
    return np.frombuffer(value, np.uint8 if is_packed else words).astype("<u2")


def _bytes_of(element: Any) -> bytes:
    """An element as it would lie in a little endian file."""
    value = element.value if element.VM <= 1 else element.value[0]
    if value is None:
        return b""
    if element.VR in _BINARY:
        return (int(value) & 0xFFFF).to_bytes(2, "little")
    return str(value).encode()


def _check_decoder(syntax: Any) -> None:
    if not syntax.is_compressed or syntax.is_deflated:
        return
    try:
        is_available = _import("pydicom.pixels").get_decoder(syntax).is_available
    except NotImplementedError:
        raise DicomError(f"is compressed by {syntax.name}, which pydicom does not know") from None
    if not is_available:
        raise DicomError(f"is compressed by {syntax.name}, and no decoder for it is installed: {REMEDY}")


def _plugin(syntax: Any) -> str:
    """Whom pydicom is to ask alone; empty for all there are, in its order.

    GDCM ends the process where it finds a JPEG 2000 strange.
    """
    if not syntax.is_encapsulated or "JPEG 2000" not in syntax.name:
        return ""
    return OPENJPEG if OPENJPEG in _import("pydicom.pixels").get_decoder(syntax).available_plugins else ""


def _pixels(dataset: Any, header: PixelHeader) -> Pixels:
    options = {"raw": header.is_grey, "decoding_plugin": _plugin(dataset.file_meta.TransferSyntaxUID)}
    pixels = _import("pydicom.pixels").pixel_array(dataset, **options)
    # Values below zero become the words that they are stored in.
    kind = np.uint8 if header.words.bits_allocated == 8 else np.uint16
    return np.ascontiguousarray(pixels.astype(kind, copy=False) if pixels.dtype.kind in "iu" else pixels)
