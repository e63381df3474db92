"""CTC for the Theano family: one set of Ops for PyTensor, Aesara, Theano-PyMC and Theano."""
