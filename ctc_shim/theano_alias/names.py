"""The modules of `theano`, and in each the names that are not simply the library's own.

A module `theano.x.y` falls through to the library's module of the same path (or the one named
here), so that only what PyTensor renamed, changed or dropped is listed. A value "stand_in:name" is
a file of this package, anything else a dotted path inside the library. Keras 1.0.8 - 2.3.1 uses 114
names; all are reached.
"""

from typing import Dict, List

# theano module -> the library's module it falls through to (None: the names below only)
MODULES = {
    "theano": "",
    "theano.tensor": "tensor",
    "theano.tensor.basic": "tensor",
    "theano.tensor.extra_ops": "tensor.extra_ops",
    "theano.tensor.sharedvar": "tensor.sharedvar",
    "theano.tensor.nlinalg": "tensor.nlinalg",
    "theano.tensor.slinalg": "tensor.slinalg",
    "theano.tensor.type": "tensor.type",
    "theano.tensor.subtensor": "tensor.subtensor",
    "theano.tensor.elemwise": "tensor.elemwise",
    "theano.tensor.shared_randomstreams": None,
    "theano.tensor.nnet": None,
    "theano.tensor.nnet.nnet": None,
    "theano.tensor.nnet.bn": None,
    "theano.tensor.nnet.abstract_conv": None,
    "theano.tensor.nnet.conv3d2d": None,
    "theano.tensor.nnet.conv": None,
    "theano.tensor.nnet.ctc": None,
    "theano.tensor.signal": None,
    "theano.tensor.signal.pool": None,
    "theano.tensor.signal.downsample": None,
    "theano.sandbox": None,
    "theano.sandbox.rng_mrg": None,
    "theano.sandbox.softsign": None,
    "theano.sandbox.cuda": None,
    "theano.sandbox.cuda.dnn": None,
    "theano.gpuarray": None,
    "theano.gpuarray.ctc": None,
    "theano.printing": "printing",
    "theano.ifelse": None,
    "theano.gradient": "gradient",
    "theano.sparse": "sparse",
    "theano.sparse.basic": "sparse",
    "theano.scalar": "scalar",
    "theano.compile": "compile",
    "theano.gof": "graph",
    "theano.scan_module": "scan",
    "theano.scan_module.scan_utils": "scan.utils",
}


def _at(file: str, names: str) -> Dict[str, str]:
    return {name: file + ":" + name for name in names.split()}


NNET = _at(
    "ops.nnet",
    "sigmoid ultra_fast_sigmoid hard_sigmoid softplus softsign relu elu selu softmax logsoftmax "
    "binary_crossentropy sigmoid_binary_crossentropy categorical_crossentropy",
)
CONV = _at(
    "ops.conv",
    "conv2d conv3d conv2d_transpose conv2d_grad_wrt_inputs conv2d_grad_wrt_weights "
    "conv3d_grad_wrt_inputs conv3d_grad_wrt_weights",
)
ABSTRACT_CONV = _at(
    "ops.conv",
    "AbstractConv2d_gradInputs AbstractConv3d_gradInputs AbstractConv2d_gradWeights "
    "AbstractConv3d_gradWeights bilinear_upsampling",
)
TENSOR = dict(
    _at("ops.tensor_functions", "stack flatten tile clip batched_dot batched_tensordot"),
    **_at("ops.shapes", "unbroadcast addbroadcast patternbroadcast"),
)
LOOPS = _at("ops.looping", "scan map reduce foldl foldr")

NAMES = {
    "theano": dict(
        LOOPS,
        **{
            "__version__": "version:THEANO_VERSION",
            "config": "configuration:config",
            "function": "ops.compiling:function",
            "shared": "ops.plain_arrays:shared",
            "Op": "graph.op.Op",
            "Apply": "graph.basic.Apply",
            "Variable": "graph.basic.Variable",
            "Constant": "graph.basic.Constant",
            "Param": "compile.io.In",
            "clone": "graph.replace.clone_replace",
        },
    ),
    "theano.tensor": {
        **TENSOR,
        "abs_": "tensor.abs",
        "inv": "tensor.reciprocal",
        "fill": "tensor.second",
        "sgn": "tensor.sign",
        "grad": "gradient.grad",
    },
    "theano.compile": {
        "function": "ops.compiling:function",
        "shared": "ops.plain_arrays:shared",
        "get_default_mode": "tuning.alias_mode:alias_mode",
    },
    "theano.tensor.extra_ops": {"to_one_hot": "ops.tensor_functions:to_one_hot"},
    "theano.tensor.nnet": dict(NNET, **CONV),
    "theano.tensor.nnet.nnet": NNET,
    "theano.tensor.nnet.conv": {"conv2d": "ops.conv:conv2d"},
    "theano.tensor.nnet.ctc": _at(
        "ops.ctc_names", "ctc ctc_available ConnectionistTemporalClassification"
    ),
    "theano.gpuarray.ctc": _at(
        "ops.ctc_names", "gpu_ctc ctc_available GpuConnectionistTemporalClassification"
    ),
    "theano.tensor.nnet.conv3d2d": {"conv3d": "ops.conv:conv3d2d"},
    "theano.tensor.nnet.bn": _at(
        "ops.batchnorm", "batch_normalization batch_normalization_train batch_normalization_test"
    ),
    "theano.tensor.nnet.abstract_conv": dict(CONV, **ABSTRACT_CONV),
    "theano.tensor.signal.pool": _at("ops.pool", "pool_2d pool_3d max_pool_2d_same_size"),
    "theano.tensor.signal.downsample": {"max_pool_2d": "ops.pool:pool_2d"},
    "theano.tensor.shared_randomstreams": {"RandomStreams": "ops.rng:MRG_RandomStreams"},
    "theano.sandbox.rng_mrg": {"MRG_RandomStreams": "ops.rng:MRG_RandomStreams"},
    "theano.sandbox.softsign": {"softsign": "ops.nnet:softsign"},
    "theano.ifelse": {"ifelse": "ops.compiling:ifelse", "IfElse": "conditional.op.IfElse"},
    "theano.sparse": {"SparseType": "sparse.SparseTensorType"},
    "theano.sparse.basic": {"SparseType": "sparse.SparseTensorType"},
    "theano.scan_module.scan_utils": LOOPS,
}

# Names that come only with a library older than the one installed, or with a newer one: first path
# that exists wins.
ELSEWHERE = {
    "sparse.SparseTensorType": ("sparse.SparseType",),
    "tensor.abs": ("tensor.abs_",),
    "tensor.reciprocal": ("tensor.inv",),
    "tensor.sign": ("tensor.sgn",),
    "graph.replace.clone_replace": ("graph.basic.clone_replace", "clone_replace"),
    "conditional.op.IfElse": ("ifelse.IfElse",),
}


def submodules(name: str) -> List[str]:
    """'theano.tensor' -> ['basic', 'extra_ops', ...]: modules one level below."""
    return [
        m[len(name) + 1 :]
        for m in MODULES
        if m.startswith(name + ".") and "." not in m[len(name) + 1 :]
    ]
