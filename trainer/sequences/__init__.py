"""What Keras sees: sequences, whose indices become steps, whose steps become batches."""
