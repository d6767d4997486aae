"""What boxes of a batch become before Keras gets them."""
