"""CTC for JAX programs."""
