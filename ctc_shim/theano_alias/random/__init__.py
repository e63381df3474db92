"""The random generators of Theano: MRG31k3p, and numpy's RandomState."""
