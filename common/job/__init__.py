"""What a producer must know of a job to build any of its batches."""
