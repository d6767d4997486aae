"""Which samples form which step of which epoch. Pure."""
