"""The trainer: who builds what, and what Keras sees of it."""
