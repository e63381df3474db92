"""theano.tensor.nnet.ctc and theano.gpuarray.ctc: on the alias they need no warp-ctc."""

from ctc_shim import theano_ctc

_MADE = theano_ctc.replacements("inf")  # patch_theano_ctc chooses another policy

ctc = _MADE["ctc"]
gpu_ctc = _MADE["gpu_ctc"]
ctc_available = _MADE["ctc_available"]
ConnectionistTemporalClassification = _MADE["ConnectionistTemporalClassification"]
GpuConnectionistTemporalClassification = _MADE["GpuConnectionistTemporalClassification"]
