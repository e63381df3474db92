"""Keras' wrappers for scikit-learn: scikit-learn 1.6 asks for more than Keras gave them.

CTC_SHIM_ON names what serves `theano`, as in test_matrix.py.
"""

import os
import subprocess
import sys

from places import ROOT

PROGRAM = """
import numpy as np
from keras.layers import Dense
from keras.models import Sequential
from keras.wrappers.scikit_learn import KerasClassifier, KerasRegressor
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

options = dict(kernel_initializer="zeros", input_shape=(2,))  # nothing is left to chance

def classifier():
    model = Sequential([Dense(1, activation="sigmoid", **options)])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    return model

def regressor():
    model = Sequential([Dense(1, **options)])
    model.compile("sgd", "mse")
    return model

np.random.seed(0)
x = np.random.RandomState(0).standard_normal((20, 2))
y = (x[:, 0] > 0).astype(int)
arguments = dict(epochs=60, batch_size=5, verbose=0)
steps = make_pipeline(StandardScaler(), KerasClassifier(classifier, **arguments))
scores = cross_val_score(steps, x, y, cv=2, error_score="raise")
assert scores.shape == (2,) and (scores > 0.5).all(), scores
steps = make_pipeline(StandardScaler(), KerasRegressor(regressor, **arguments)).fit(x, x[:, 1])
assert np.abs(steps.predict(x) - x[:, 1]).mean() < 0.3
"""


def test_scikit_learn_uses_the_wrappers(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = ["ctc_shim", "run", "--on", os.environ.get("CTC_SHIM_ON", "theano"), "program.py"]
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m"] + command,
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHONPATH=path),
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stderr.decode()
