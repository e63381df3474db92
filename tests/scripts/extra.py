"""Asked in an environment with one extra of ctc_shim and nothing else: python extra.py EXTRA.

The libraries of the extra are imported, and one of Theano's family computes what it should.
"""

import importlib
import sys

from ctc_shim.commands import doctor, proofs

LIBRARIES = {
    "aesara": ["aesara"],
    "examples": ["matplotlib.pyplot", "rapidfuzz", "sklearn", "tqdm"],
    "plot": ["matplotlib.pyplot", "ctc_shim.plot"],
    "pytensor": ["pytensor"],
    "test": ["pytest", "hypothesis", "yaml"],
    "theano": ["theano" if sys.version_info < (3, 11) else "pytensor"],
}
for name in LIBRARIES[sys.argv[1]]:
    module = importlib.import_module(name)
    print(name, getattr(module, "__version__", ""))
for name in doctor.family():
    proof = proofs.attempt(name, proofs.symbolic, name)
    print(proof)
    assert proof["passed"]
