"""Keras callbacks of Feedline's own: see docs/architecture.md."""
