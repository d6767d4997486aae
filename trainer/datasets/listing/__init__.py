"""Which files there are, and what a name that is missing may have been: no file is opened."""
