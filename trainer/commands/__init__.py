"""One module per command of `feedline`; `trainer.__main__` lists them."""
