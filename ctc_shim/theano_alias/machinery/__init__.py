"""What Theano has beside tensors: graphs, functions, flags, printing, and tools for tests."""
