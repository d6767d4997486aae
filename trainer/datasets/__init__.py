"""Tables of samples, and what they are made of: frames, folders, lists, annotations."""
