"""What travels between a trainer and its producers: messages, their bytes, the addresses."""
