"""Which linker the alias computes with when nobody chose one: C where there is a compiler, else PyTensor's own (Numba).

Measured for the train function of a GRU of 32 units over 50 steps (batch 16, Adam; PyTensor 3.3.8, Python 3.12, one BLAS
thread, a busy machine of two cores, so CPU seconds are given):

             cold      warm     a step
    C        70 s      3.3 s    8 - 10 ms      78 small C modules, each cached on its own
    Numba    109 s     3.4 s    4 - 5 ms       and graphs with convolution or pooling are compiled again in each process
    Theano   132 s     4 - 6 s  8 - 11 ms      1.0.5, its C linker

Compile time matters most to who runs legacy Keras, hence C. PYTENSOR_FLAGS=linker=numba (or THEANO_FLAGS) halves the step
of a recurrent net. A linker, mode or device the user asked for is never overruled.
"""


def choose(server):
    """Set the C linker where nothing was asked for and g++ is there."""
    config = server.config
    if config.linker == "auto" and config.mode == "Mode" and config.cxx:
        config.linker = "cvm"
