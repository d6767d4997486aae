"""Processes and threads: how children are started, how a thread is woken, by what clock others are judged."""
