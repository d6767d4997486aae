"""Decoded samples, kept for the next epoch."""
