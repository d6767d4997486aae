"""Memory that a producer and a trainer of one host both map."""
