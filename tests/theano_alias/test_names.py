"""Every theano name that Keras 1.0.8 - 2.3.1 uses is reached; others are refused by name."""

import pytest

KERAS_USES = """
theano: config function foldl foldr gradient ifelse map printing sandbox scan shared sparse tensor
theano.gradient: disconnected_grad
theano.ifelse: ifelse
theano.printing: Print
theano.sandbox.rng_mrg: MRG_RandomStreams
theano.sandbox.softsign: softsign
theano.sparse: SparseType as_sparse_variable basic csr_matrix dense_from_sparse
theano.sparse.basic: hstack structured_dot vstack
theano.tensor: TensorConstant TensorType TensorVariable abs_ all alloc any arange argmax argmin
theano.tensor: argsort as_tensor_variable batched_dot batched_tensordot cast clip concatenate
theano.tensor: constant cos dot eq exp flatten ge grad gt inc_subtensor inv le log lt max maximum
theano.tensor: mean min minimum neq nnet ones_like patternbroadcast pow prod repeat
theano.tensor: reshape round scalar set_subtensor sgn sin sort sqr sqrt square squeeze
theano.tensor: stack std sum switch tanh tile transpose unbroadcast var
theano.tensor: zeros zeros_like extra_ops sharedvar signal
theano.tensor.extra_ops: cumprod cumsum repeat to_one_hot
theano.tensor.nnet: abstract_conv binary_crossentropy bn categorical_crossentropy conv2d conv3d
theano.tensor.nnet: elu hard_sigmoid relu sigmoid softmax softplus
theano.tensor.nnet.abstract_conv: AbstractConv2d_gradInputs AbstractConv3d_gradInputs
theano.tensor.nnet.abstract_conv: bilinear_upsampling
theano.tensor.nnet.bn: batch_normalization batch_normalization_test batch_normalization_train
theano.tensor.nnet.conv3d2d: conv3d
theano.tensor.nnet.nnet: softsign
theano.tensor.sharedvar: TensorSharedVariable
theano.tensor.signal.pool: pool_2d pool_3d
"""


def pairs():
    for line in KERAS_USES.strip().splitlines():
        module, names = line.split(": ")
        for name in names.split():
            yield module, name


def test_every_name_keras_uses_is_reached(alone):
    alone(
        """
import importlib, warnings
from ctc_shim import theano_alias
theano_alias.install()
import theano
with warnings.catch_warnings():
    warnings.simplefilter("error")
    for module, name in %r:
        value = getattr(importlib.import_module(module), name)
        assert value is not None, (module, name)
        by_attributes = theano
        for step in (module + "." + name).split(".")[1:]:
            by_attributes = getattr(by_attributes, step)
        assert by_attributes is value, (module, name)
"""
        % (list(pairs()),),
        warnings="ignore",
    )


def test_every_entry_of_the_table_resolves():
    from ctc_shim.theano_alias import names
    from ctc_shim.theano_alias.modules import MISSING, resolve

    missing = [
        (module, name)
        for module, entries in names.NAMES.items()
        for name, entry in entries.items()
        if resolve(entry) is MISSING
    ]
    assert missing == []
    assert set(names.NAMES) <= set(names.MODULES)


def test_unknown_names_are_refused_by_name(alone):
    alone(
        """
from ctc_shim import theano_alias
theano_alias.install()
import theano.tensor as T
for module, name in ((T.nnet, "none"), (theano_alias and __import__("theano"), "nothing_like_it")):
    try:
        getattr(module, name)
    except AttributeError as error:
        text = str(error)
        assert module.__name__ + "." + name in text and "ctc_shim" in text and "issue" in text, text
    else:
        raise AssertionError(name)
assert not hasattr(T.nnet.bn, "batch_normalization_of_the_future")
try:
    import theano.d3viz
except ModuleNotFoundError as error:
    assert "theano.d3viz" in str(error) and error.name == "theano.d3viz"
else:
    raise AssertionError("theano.d3viz")
""",
        warnings="ignore",
    )


@pytest.mark.parametrize(
    "flag, same",
    [
        ("floatX=float32", "floatX=float32"),
        ("gcc.cxxflags=-O1", "gcc__cxxflags=-O1"),
        ("device=cpu", None),
        ("dnn.enabled=False", None),
        ("linker=c|py", "linker=cvm"),
    ],
)
def test_flags_are_translated(flag, same):
    from ctc_shim.theano_alias.server import translate_flag

    assert translate_flag(flag) == same


def test_a_gpu_is_not_promised():
    from ctc_shim.theano_alias.server import translate_flag

    with pytest.warns(UserWarning, match="CPU"):
        assert translate_flag("device=cuda0") is None
