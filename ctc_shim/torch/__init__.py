"""CTC for PyTorch programs."""
