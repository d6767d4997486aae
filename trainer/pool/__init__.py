"""The pool: a thread that talks to producers, and what is handed over to sequences."""
