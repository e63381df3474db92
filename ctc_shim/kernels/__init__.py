"""The fused kernels (ctc.c for CPUs) and one thin face for each way to call them."""
