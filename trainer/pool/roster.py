"""Which producer is behind which connection, and what it runs on. Knows no socket."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from feedline.common.wire.protocol import VERSION, Hello, Notice, Session
from feedline.trainer.pool.stats import ProducerCount, ProducerStats
from feedline.trainer.pool.verification import Breach, BreachError

logger = logging.getLogger(__name__)


MAX_NOTICED = 1000
"""So many kinds of warnings of producers are known again."""


@dataclass(slots=True)
class Connection:
    """One welcomed producer.

    Attributes
    ----------
    routing_id : bytes
        Where the ROUTER finds it; changes when its connection was cut and is back.
    count : ProducerCount
        What it has done.
    key : str
        That it proved to have; empty where none are asked for.
    """

    session: Session
    routing_id: bytes
    hello: Hello
    count: ProducerCount = field(default_factory=ProducerCount, compare=False)
    key: str = ""

    @property
    def stats(self) -> ProducerStats:
        """What it has done so far."""
        return self.count.shown(self.hello.name, self.hello.pid, self.hello.host)


@dataclass(slots=True)
class Roster:
    """All welcomed producers of a pool.

    Attributes
    ----------
    pool_id : bytes
        Of this run of this pool: messages to an earlier one are refused.
    strict_versions : bool
        Refuse producers whose libraries differ from the first one's.
    libraries : mapping of str to str
        The first one's.
    connections : dict of bytes to Connection
        By the producer's id.
    routes : dict of bytes to bytes
        Whose id is behind which routing id: one connection is one producer's.
    noticed : set of str
        What producers have warned of so far: topics, and texts that have none.
    """

    pool_id: bytes
    strict_versions: bool = False
    libraries: Mapping[str, str] = field(default_factory=dict)
    connections: dict[bytes, Connection] = field(default_factory=dict)
    routes: dict[bytes, bytes] = field(default_factory=dict)
    mixed: bool = False
    noticed: set[str] = field(default_factory=set)

    def greet(self, ids: Session, hello: Hello, routing_id: bytes, key: str = "") -> Connection:
        """Let a producer in.

        Raises
        ------
        BreachError
            It is of another version, or runs on other libraries where that is not allowed.
        """
        if hello.version != VERSION:
            raise BreachError(
                Breach.VERSION,
                f"the trainer speaks version {VERSION} of the protocol, the producer {hello.version}:"
                " install the same version of feedline on both sides",
            )
        self.libraries = self.libraries or hello.libraries
        if self.strict_versions and hello.libraries != self.libraries:
            raise BreachError(Breach.LIBRARIES, self.difference(hello))
        connection = Connection(Session(ids.producer_id, self.pool_id), routing_id, hello, key=key)
        self.connections[ids.producer_id] = connection
        self.routes[routing_id] = ids.producer_id
        return connection

    def move(self, connection: Connection, routing_id: bytes) -> None:
        """A producer's connection was cut, and it has another one."""
        self.routes.pop(connection.routing_id, None)
        connection.routing_id = routing_id
        self.routes[routing_id] = connection.session.producer_id

    def drop(self, producer_id: bytes) -> Connection | None:
        """A producer is gone; returns what it was, if it was there."""
        connection = self.connections.pop(producer_id, None)
        if connection is not None:
            self.routes.pop(connection.routing_id, None)
        return connection

    def behind(self, routing_id: bytes) -> Connection | None:
        """The producer that a connection is of; None for a stranger's."""
        return self.connections.get(self.routes.get(routing_id, b""))

    def difference(self, hello: Hello) -> str:
        """What a producer runs on that the first one does not; empty when all is equal."""
        names = sorted(set(hello.libraries) | set(self.libraries))
        differences = [
            f"{name} {hello.libraries.get(name)} instead of {self.libraries.get(name)}"
            for name in names
            if hello.libraries.get(name) != self.libraries.get(name)
        ]
        return f"producer {hello.name} has {', '.join(differences)}" if differences else ""

    def warn_of_mixture(self, hello: Hello) -> None:
        """Log once that not all run on the same."""
        difference = self.difference(hello)
        if difference and not self.mixed:
            self.mixed = True
            logger.warning(f"{difference}: equal bytes are promised among equal versions only")

    def take_notice(self, connection: Connection, notice: Notice) -> None:
        """Log a producer's warning; what is of a kind that was said already is no news."""
        kind = notice.topic or notice.text
        level = logging.INFO if kind in self.noticed else logging.WARNING
        logger.log(level, f"producer {connection.hello.name}: {notice.text}")
        if len(self.noticed) < MAX_NOTICED:
            self.noticed.add(kind)

    def find(self, ids: Session) -> Connection | None:
        """The producer a message is from; None for a stranger, or one of an earlier run."""
        connection = self.connections.get(ids.producer_id)
        if connection is None or ids.pool_id != self.pool_id:
            return None
        return connection

    def with_keys(self, keys: set[str]) -> list[Connection]:
        """Producers that came with one of these keys."""
        return [connection for connection in self.connections.values() if connection.key in keys]

    def with_pid(self, pid: int) -> list[bytes]:
        """Producers that run as this process; only told apart from others' on the same machine."""
        return [i for i, connection in self.connections.items() if connection.hello.pid == pid]
