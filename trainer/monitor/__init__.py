"""What a pool does, for whoever watches: as a page, as metrics, and in a terminal. All from one view."""
