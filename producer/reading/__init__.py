"""Reading: a path in, pixels out."""
