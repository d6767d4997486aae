"""The parts of the dispatcher: its books, leases, feeding and answers. `trainer.dispatcher` is the way in."""
