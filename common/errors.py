"""Everything that Feedline raises on purpose, and who has to act.

::

    FeedlineError
    ├── ConfigurationError        you, in the call that raised it: an argument is wrong
    │   └── ArgumentNameError     ... it has a name that there is not
    ├── DatasetError              you, in your table or folder: a column, label or file name is wrong
    ├── SampleError               you, in one file: it cannot be used
    │   ├── ReadError             ... it is missing, not under a data root, or its disk failed
    │   ├── DecodeError           ... its bytes are not a whole image
    │   └── TransformError        ... a function of yours cannot transform it
    ├── UserCodeError             you, in your module; or the operator, who has not allowed it
    ├── BatchError                you: a batch could not be built; the text names file and producer
    ├── BadSamplesError           you: more samples are bad than `max_bad_share` allows; the text names ten
    ├── StarvedError              the operator: no batch came in time; the text says what to start
    ├── ProducerCrashError        the operator: producers die as soon as they are started
    ├── InterruptedWaitError      nobody: Ctrl-C ended a wait
    ├── ClosedError               you: the pool or the sequence was closed and is still being used
    └── ProtocolError
        ├── LocalProtocolError    us: Feedline was about to send something it must not
        └── RemoteProtocolError   the other side sent something it must not; it is refused
"""


class FeedlineError(Exception):
    """The root of the tree above."""


class ConfigurationError(FeedlineError, ValueError):
    """An argument has a value that cannot work; the text quotes it."""


class ArgumentNameError(ConfigurationError, TypeError):
    """There is no argument of that name; the text has the nearest one. Python's own kind of error, too."""


class DatasetError(FeedlineError, ValueError):
    """A table, folder or list of samples cannot be used; the text quotes the offending part."""


class SampleError(FeedlineError):
    """One sample cannot be used.

    Parameters
    ----------
    path : str
        The file, as the dataset names it.
    reason : str
        Why, in a clause that can follow a colon.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class ReadError(SampleError):
    """The bytes of a file could not be had. Another producer may have them."""


class DecodeError(SampleError):
    """The bytes were read and are not a whole image. No other producer will do better."""


class TransformError(SampleError):
    """A function of the user's failed on a sample. No other producer will do better."""


class UserCodeError(FeedlineError):
    """A function or class of the user's cannot be used; the text names it."""


class BatchError(FeedlineError):
    """A batch could not be built; the text names the file, the producer and its traceback."""


class BadSamplesError(FeedlineError):
    """More samples of a dataset are bad than ``max_bad_share`` allows; the text names the first ten."""


class StarvedError(FeedlineError, TimeoutError):
    """No batch came within ``timeout_s``; the text names the endpoint and what to start."""


class ProducerCrashError(FeedlineError):
    """Embedded producers die as soon as they start; the text carries their last words."""


class InterruptedWaitError(FeedlineError):
    """Ctrl-C arrived while a batch was awaited; KeyboardInterrupt follows in the main thread."""


class ClosedError(FeedlineError):
    """The pool or the sequence is closed."""


class ProtocolError(FeedlineError):
    """A message broke the protocol."""


class LocalProtocolError(ProtocolError):
    """Feedline was about to break the protocol: a fault of its own."""


class RemoteProtocolError(ProtocolError):
    """The other side broke the protocol: an old version, a stranger on the port, or a fault."""
