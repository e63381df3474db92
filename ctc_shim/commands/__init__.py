"""The commands of `python -m ctc_shim`, one module each."""
