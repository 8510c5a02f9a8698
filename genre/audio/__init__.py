"""Sound in, tensors out."""
