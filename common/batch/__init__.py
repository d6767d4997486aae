"""What a batch is made of: where its arrays lie in its bytes."""
