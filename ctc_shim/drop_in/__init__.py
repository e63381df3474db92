"""The functions of PyTorch, optax and Keras 3 replaced by ours, on request."""
