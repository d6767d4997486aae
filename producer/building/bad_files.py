"""Which files of a ticket cannot be used: all of them, so that the second attempt is the last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from feedline.common.errors import DecodeError, ReadError, SampleError
from feedline.common.wire.names import printable
from feedline.common.wire.protocol import BadFile, FailureKind, Sample
from feedline.producer.building.items import ImageMaker

MAX_REASON_CHARS = 500
"""There may be as many as samples in a batch."""


class BadFilesError(SampleError):
    """Files of a ticket cannot be used. Its path and reason are those of the first that decides what is done.

    Parameters
    ----------
    files : sequence of BadFile
        All of them, in the order of the ticket.
    errors : sequence of SampleError
        What was raised because of each.
    """

    def __init__(self, files: Sequence[BadFile], errors: Sequence[SampleError]) -> None:
        # No other producer does better with what is no image; with what cannot be read it may.
        is_decode = [one.kind is FailureKind.DECODE for one in files]
        first = is_decode.index(True) if any(is_decode) else 0
        more = f" (and {len(files) - 1} more of its files cannot be used)" if len(files) > 1 else ""
        super().__init__(errors[first].path, errors[first].reason + more)
        self.first = errors[first]
        self.kind = files[first].kind
        self.files = tuple(files)


class BadFiles:
    """Gathers the bad files of one ticket. Used by the building thread alone.

    Parameters
    ----------
    makers : sequence of ImageMaker
        Have the files.
    """

    def __init__(self, makers: Sequence[ImageMaker]) -> None:
        self._makers = makers
        self._files: dict[tuple[int, int], BadFile] = {}
        self._errors: list[SampleError] = []

    @contextmanager
    def gathered(self, place: int, samples: Sequence[Sample]) -> Iterator[None]:
        """Make an item of `samples`, the first of which stands at `place` in the ticket."""
        try:
            yield
        except (ReadError, DecodeError) as error:
            found = len(self._errors)
            for nth, sample in enumerate(samples):
                self._look_through(place + nth, sample)
            if len(self._errors) == found:
                # The files are images, but do not go together.
                nth = next((nth for nth, one in enumerate(samples) if error.path in one.paths), 0)
                self._note(place + nth, samples[nth], error)

    def refuse(self) -> None:
        """Raise a BadFilesError if there are any."""
        if self._errors:
            error = BadFilesError(list(self._files.values()), self._errors)
            raise error from error.first

    def _look_through(self, place: int, sample: Sample) -> None:
        """Try every file of a sample."""
        for maker in self._makers:
            for part in maker.slices:
                try:
                    part.decoded(sample)
                except (ReadError, DecodeError) as error:
                    self._note(place, sample, error)

    def _note(self, place: int, sample: Sample, error: SampleError) -> None:
        file = 0
        with suppress(ValueError):
            file = sample.paths.index(error.path)
        if (place, file) not in self._files:
            kind = FailureKind.READ if isinstance(error, ReadError) else FailureKind.DECODE
            reason = printable(error.reason)[:MAX_REASON_CHARS]
            self._files[place, file] = BadFile(place, file, kind, reason)
            self._errors.append(error)
