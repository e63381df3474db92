"""The functions of Theano that PyTensor lacks or defines differently."""
