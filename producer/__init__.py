"""The producer: turns tickets into batches. Knows nothing of trainers but the protocol."""
