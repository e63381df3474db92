"""How our Ops are lowered by each linker: C, Numba, JAX and PyTorch."""
