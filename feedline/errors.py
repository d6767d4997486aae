"""Everything that Feedline raises on purpose; the tree is drawn in `feedline.common.errors`."""

from feedline.common.errors import (
    BatchError,
    ClosedError,
    ConfigurationError,
    DatasetError,
    DecodeError,
    FeedlineError,
    InterruptedWaitError,
    LocalProtocolError,
    ProducerCrashError,
    ProtocolError,
    ReadError,
    RemoteProtocolError,
    SampleError,
    StarvedError,
    TransformError,
    UserCodeError,
)

__all__ = [
    "BatchError",
    "ClosedError",
    "ConfigurationError",
    "DatasetError",
    "DecodeError",
    "FeedlineError",
    "InterruptedWaitError",
    "LocalProtocolError",
    "ProducerCrashError",
    "ProtocolError",
    "ReadError",
    "RemoteProtocolError",
    "SampleError",
    "StarvedError",
    "TransformError",
    "UserCodeError",
]
