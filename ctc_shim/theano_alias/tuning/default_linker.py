"""Which linker the alias computes with when nobody chose one: C where there is a compiler, else PyTensor's own (Numba).

Measured with Keras 2.3.1 and PyTensor 3.3.8, Python 3.12, one BLAS thread (benchmarks/alias.md): the train function of a GRU
of 64 units with CTC, seconds to its first result; and a step of a GRU of 32 units over 50 frames, batch 16.

             cold      warm     a step
    C        35 s      1.5 s    2.8 ms      some 50 small C modules, each cached on its own
    Numba    54 s      2.0 s    2.5 ms      and graphs with convolution or pooling are compiled again in each process
    Theano   65 s      6.6 s    3.4 ms      1.0.5, its C linker

Compile time matters most to who runs legacy Keras, hence C. PYTENSOR_FLAGS=linker=numba (or THEANO_FLAGS) takes a tenth
off the step of a recurrent net. A linker, mode or device the user asked for is never overruled.
"""


def choose(server):
    """Set the C linker where nothing was asked for and g++ is there."""
    config = server.config
    if config.linker == "auto" and config.mode == "Mode" and config.cxx:
        config.linker = "cvm"
