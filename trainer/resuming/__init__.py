"""A training that may end at any moment and goes on: what is kept, where, and how Keras begins midway."""
