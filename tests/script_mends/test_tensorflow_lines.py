"""Lines for TensorFlow's session and GPU, on the Theano backend."""

import os

from running import ended

TENSORFLOW = """
import numpy as np
import tensorflow as tf
from tensorflow import ConfigProto
import keras.backend.tensorflow_backend as KTF
from keras.backend.tensorflow_backend import set_session
from keras import backend as K
from keras.layers import Input

config = tf.ConfigProto(allow_soft_placement=True, gpu_options=tf.GPUOptions())
config.gpu_options.allow_growth = True
set_session(tf.Session(config=config))
KTF.set_session(tf.Session(config=ConfigProto()))
K.set_session(tf.Session())
K.clear_session()
tf.logging.set_verbosity(tf.logging.ERROR)
tf.compat.v1.set_random_seed(1)
x = Input((3, 4), dtype=np.float32)
assert x.shape.as_list() == [None, 3, 4] == x.get_shape().as_list()
assert x.get_shape()[2] == 4
assert K.tile(K.variable(np.ones((1, 2))), np.array([1, 2])).ndim == 2
assert K.eval(K.tile([[K.shape(K.variable(np.ones((5, 2))))[0]]], [2, 1])).tolist() == [[5], [5]]
from keras.callbacks import Callback, TensorBoard
assert isinstance(TensorBoard("logs"), Callback)
from tensorflow.contrib.training import HParams
assert HParams(rate=2).rate == 2
p = K.variable(np.full((1, 4, 3), 1 / 3.))
assert K.get_value(K.ctc_decode(p, [4])[0][0]).shape[0] == 1
assert K.sum(p).eval(session=K.get_session()).round() == 4
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    y = K.placeholder((2,))
    assert sess.run([K.sum(y)], feed_dict={y: np.ones(2)}) == [2]
K.set_learning_phase(0)
double = K.function([y, K.learning_phase()], [2 * y])
assert double([np.ones(2), 0])[0].tolist() == double([np.ones(2)])[0].tolist() == [2, 2]
import ctc
scores = K.variable(np.zeros((3, 1, 4)))
losses = ctc.cpu_ctc_th(scores, *(K.variable(n, dtype="int32") for n in ([3], [1, 2], [2])))
assert K.eval(losses).round(4) == np.float32(2.5494)
assert K.eval(K.gradients(K.sum(losses), [scores])[0]).shape == (3, 1, 4)
import importlib.util, sys
assert importlib.util.find_spec("tensorflow") is None and "tensorflow" not in sys.modules
try:
    tf.nn.ctc_loss
except AttributeError as error:
    print(error)
"""


def _lines_of_tensorflow(tmp_path):
    (tmp_path / "a.py").write_text(TENSORFLOW)
    flags = ",".join(filter(None, [os.environ.get("PYTENSOR_FLAGS"), "linker=py"]))
    status, out, err = ended(tmp_path, "a.py", PYTENSOR_FLAGS=flags)
    assert status == 0, err
    assert out.startswith("tensorflow.nn: TensorFlow is not installed")
    said = [line.split("mended ")[1].split(":")[0] for line in err.splitlines() if "mended" in line]
    for name in (
        "import tensorflow",
        "tensorflow.ConfigProto",
        "K.set_session",
        "x.get_shape()",
        "ctc.cpu_ctc_th",
    ):
        assert name in said
    assert len(said) == len(set(said))
    status, _, err = ended(tmp_path, "--no-mend", "a.py")
    assert status == 1 and "No module named 'tensorflow'" in err and "mended" not in err


if os.environ.get("CTC_SHIM_KERAS"):  # a legacy Keras is here
    test_lines_of_tensorflow = _lines_of_tensorflow
