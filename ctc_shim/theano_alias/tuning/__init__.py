"""How the alias makes PyTensor compile fast code for legacy Keras."""
