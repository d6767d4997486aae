"""One module per command of `feedline`; `feedline.trainer.commands.cli` lists them."""
