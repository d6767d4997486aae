"""Who builds what next: events in, instructions out. `dispatcher` is the way in; all of it is pure."""
