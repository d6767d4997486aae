"""Who waits for whom, why, and what would help: from counters alone. Everything in this room is pure."""
