"""Building: a ticket in, a batch out."""
