"""See what the model sees: samples as they are on disk beside what is delivered of them, as a picture."""
