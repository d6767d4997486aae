"""From the bytes of a batch, where a producer put them, to the arrays that Keras gets."""
