"""What `feedline demo` is made of: photographs, a dataset, a model, a training, pictures."""
