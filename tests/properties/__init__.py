"""Tests that try many random courses of events; a package, for the models they share."""
