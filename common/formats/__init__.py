"""What a file's own bytes say of it, without decoding it."""
