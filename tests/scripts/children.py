"""A Keras script without ctc_shim, whose children compute Keras' own CTC test case.

    python children.py METHOD        METHOD: fork, spawn, forkserver, loky or subprocess

Prints the losses that a child returns, the module of its K.ctc_batch_cost, and `theano`'s version.
"""

import multiprocessing
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from data.hard_cases import keras_cases  # noqa: E402


class Case(object):
    """Pickled by its name in this program's __main__."""

    def __init__(self):
        self.case = keras_cases()[0]

    def compute(self):
        from keras import backend as K
        import theano

        c = self.case
        lengths = (K.variable(n, dtype="int32") for n in (c.input_length, c.label_length))
        cost = K.ctc_batch_cost(K.variable(c.labels, dtype="int32"), K.variable(c.scores), *lengths)
        losses = np.ravel(K.eval(cost)).tolist()
        return losses + [K.ctc_batch_cost.__module__, theano.__version__]


def compute(case):
    return case.compute()


def main(method):
    if method == "itself":
        print(*compute(Case()))
    elif method == "subprocess":
        subprocess.check_call([sys.executable, os.path.join(HERE, "children.py"), "itself"])
    elif method == "loky":
        from joblib import Parallel, delayed

        print(*Parallel(n_jobs=2)(delayed(compute)(Case()) for _ in range(2))[0])
    else:
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(*pool.map(compute, [Case()])[0])


if __name__ == "__main__":
    main(sys.argv[1])
