"""The compiled kernels: built, found, loaded and called."""
