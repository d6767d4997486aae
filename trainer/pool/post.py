"""How the pool speaks to its producers. Knows no socket: frames go out through a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from feedline.common.wire.encoding import encode
from feedline.common.wire.protocol import Buffer, FromTrainer, Session
from feedline.trainer.pool.roster import Roster


@dataclass(slots=True)
class Post:
    """Sends messages.

    Attributes
    ----------
    roster : Roster
        Knows where producers are.
    send : callable
        (routing_id, frames) -> whether somebody is there to get them.
    unreachable : set of bytes
        Producers whose connection was found cut; whoever empties it declares them lost.
    """

    roster: Roster
    send: Callable[[bytes, list[Buffer]], bool]
    unreachable: set[bytes] = field(default_factory=set)

    def answer(self, routing_id: bytes, session: Session, message: FromTrainer) -> bool:
        """Send to whoever just spoke; whether it is still there."""
        return self.send(routing_id, encode(session, message))

    def tell(self, producer_id: bytes, message: FromTrainer) -> None:
        """Send to a producer, unless it has left."""
        connection = self.roster.connections.get(producer_id)
        if connection is not None and not self.answer(connection.routing_id, connection.session, message):
            self.unreachable.add(producer_id)

    def tell_all(self, message: FromTrainer) -> None:
        """Send to all producers."""
        for producer_id in self.roster.connections:
            self.tell(producer_id, message)
