"""`python -m feedline bench`: what Feedline does in a second, beside what others do on the same work."""
