"""In each module of `theano`, the names that are not simply the library's own.

An entry "file:name" is a stand-in of this package, anything else a dotted path inside the library;
"|" separates places of different versions: the first that exists is served.
"""

from typing import Dict


def _at(file: str, names: str) -> Dict[str, str]:
    return {name: file + ":" + name for name in names.split()}


_NNET = dict(
    _at(
        "ops.nnet",
        "sigmoid ultra_fast_sigmoid hard_sigmoid softplus softsign relu elu selu softmax "
        "logsoftmax binary_crossentropy sigmoid_binary_crossentropy categorical_crossentropy",
    ),
    **_at(
        "ops.crossentropy",
        "softmax_with_bias softmax_graph crossentropy_categorical_1hot crossentropy_softmax_1hot "
        "crossentropy_softmax_argmax_1hot_with_bias crossentropy_softmax_1hot_with_bias "
        "crossentropy_softmax_max_and_argmax_1hot_with_bias "
        "crossentropy_softmax_max_and_argmax_1hot prepend_scalar_to_each_row prepend_1_to_each_row "
        "prepend_0_to_each_row confusion_matrix h_softmax",
    ),
    **_at("machinery.op_classes", "Softmax LogSoftmax"),
    softmax_op="ops.nnet:softmax",
    logsoftmax_op="ops.nnet:logsoftmax",
)
_SIGM = dict(
    _at("ops.nnet", "sigmoid hard_sigmoid ultra_fast_sigmoid softplus"),
    scalar_sigmoid="ops.nnet:sigmoid",
    ScalarSigmoid="scalar.math.Sigmoid|scalar.basic.Sigmoid",
    ScalarSoftplus="scalar.math.Softplus|scalar.basic.Softplus",
)
_CONV = _at(
    "ops.conv",
    "conv2d conv3d conv2d_transpose conv2d_grad_wrt_inputs conv2d_grad_wrt_weights "
    "conv3d_grad_wrt_inputs conv3d_grad_wrt_weights",
)
_ABSTRACT_CONV = dict(
    _CONV,
    conv2d="ops.conv_more:abstract_conv2d",
    imported_scipy_signal="machinery.compat_names:PY3",
    **_at(
        "ops.conv",
        "AbstractConv2d_gradInputs AbstractConv3d_gradInputs AbstractConv2d_gradWeights "
        "AbstractConv3d_gradWeights bilinear_upsampling",
    ),
    **_at(
        "ops.conv_more",
        "causal_conv1d separable_conv2d get_conv_output_shape get_conv_shape_1axis "
        "get_conv_gradinputs_shape bilinear_kernel_1D bilinear_kernel_2D",
    ),
)
_CONSTANT_VALUE = "tensor.get_underlying_scalar_constant_value|tensor.get_scalar_constant_value"
_TOPK = _at("ops.tensor_functions", "topk argtopk topk_and_argtopk TopKOp")
_GRADIENTS = _at("tuning.gradients", "grad Rop Lop jacobian hessian")
_TENSOR_NAMES = dict(
    _at(
        "ops.tensor_functions",
        "stack flatten tile clip batched_dot batched_tensordot split mean smallest largest "
        "max_and_argmax unravel_index get_vector_length extract_constant",
    ),
    **_TOPK,
    **_at("ops.shapes", "unbroadcast addbroadcast patternbroadcast"),
    **_at(
        "machinery.factories",
        "scalar vector matrix row col tensor tensor3 tensor4 tensor5 tensor6 tensor7 int_dtypes "
        "uint_dtypes integer_dtypes float_dtypes complex_dtypes discrete_dtypes "
        "continuous_dtypes all_dtypes",
    ),
    sort="tensor.sort.sort",
    var="tensor.math.var",
    abs_="tensor.abs|tensor.abs_",
    inv="tensor.reciprocal|tensor.inv",
    fill="tensor.second",
    sgn="tensor.sign|tensor.sgn",
    get_scalar_constant_value=_CONSTANT_VALUE,
    verify_grad="machinery.testing:tensor_verify_grad",
    numeric_grad="gradient.numeric_grad",
    grad_undefined="gradient.grad_undefined",
    grad_not_implemented="gradient.grad_not_implemented",
    DisconnectedType="gradient.DisconnectedType",
    **_GRADIENTS,
    consider_constant="ops.looping:consider_constant",
    Apply="graph.basic.Apply",
    Op="machinery.graphs:TheanoOp",
    Variable="machinery.graphs:TheanoVariable",
    Constant="graph.basic.Constant",
    Type="graph.type.Type",
    Tensor="tensor.TensorType",
    Rebroadcast="ops.tensor_functions:rebroadcast",
    SpecifyShape="tensor.shape.SpecifyShape",
    wscalar="tensor.wscalar",
    config="configuration:config",
    _shared="machinery.plain_arrays:shared",
    **_at("machinery.op_classes", "DimShuffle Join Split"),
    AllocDiag="tensor.basic.AllocDiag",
    advanced_set_subtensor1="tensor.subtensor.advanced_set_subtensor1",
    _allclose="machinery.testing:allclose",
    hashtype="machinery.graphs:hashtype",
    as_tensor="tensor.as_tensor_variable",
    min_informative_str="machinery.printed:min_informative_str",
)
_SUBTENSORS = {  # one Op in newer libraries, with and without the 1
    name + "1": "tensor.subtensor.%s1|tensor.subtensor.%s" % (name, name)
    for name in ("AdvancedSubtensor", "AdvancedIncSubtensor")
}
_SUBTENSORS.update(
    AdvancedBooleanSubtensor="tensor.subtensor.AdvancedSubtensor",
    AdvancedBooleanIncSubtensor="tensor.subtensor.AdvancedIncSubtensor",
)
_TENSOR_NAMES.update(_SUBTENSORS)
_LINALG_NAMES = _at(
    "ops.linalg",
    "diag alloc_diag extract_diag qr eig eigh eigvalsh lstsq svd norm kron Solve solve "
    "solve_lower_triangular solve_upper_triangular solve_symmetric Cholesky cholesky",
)
_LOOPS = _at("ops.looping", "scan map reduce foldl foldr")
_CALLS = _at("machinery.calls", "In Param")
_GRAPHS = _at(
    "machinery.graphs", "inputs ancestors variables orphans ops list_of_nodes is_same_graph"
)
_DEBUG_VALUES = _at(
    "machinery.graphs", "get_debug_values debug_assert debug_error_message get_test_value"
)
_REGISTER = _at(
    "machinery.rewriting",
    "register_useless register_canonicalize register_stabilize register_specialize "
    "register_uncanonicalize",
)
_MONITOR = _at("machinery.monitoring", "MonitorMode detect_nan")
_MODES = dict(
    _at("tuning.alias_mode", "get_mode FAST_RUN FAST_COMPILE"),
    MonitorMode="machinery.monitoring:MonitorMode",
    get_default_mode="tuning.alias_mode:alias_mode",
)
_OPS = {"Op": "machinery.graphs:TheanoOp", "PureOp": "machinery.graphs:TheanoOp"}
_REWRITES = {
    "local_optimizer": "machinery.rewriting:local_optimizer",
    "OpRemove": "machinery.rewriting:OpRemove",
    "Optimizer": "graph.rewriting.basic.GraphRewriter",
    "LocalOptimizer": "graph.rewriting.basic.NodeRewriter",
    "TopoOptimizer": "graph.rewriting.basic.WalkingGraphRewriter",
    "EquilibriumOptimizer": "graph.rewriting.basic.EquilibriumGraphRewriter",
    "SeqOptimizer": "graph.rewriting.basic.SequentialGraphRewriter",
    "PatternSub": "graph.rewriting.basic.PatternNodeRewriter",
    "OpSub": "graph.rewriting.basic.SubstitutionNodeRewriter",
    "DB": "graph.rewriting.db.RewriteDatabase",
    "Query": "graph.rewriting.db.RewriteDatabaseQuery",
    "EquilibriumDB": "graph.rewriting.db.EquilibriumDB",
    "SequenceDB": "graph.rewriting.db.SequenceDB",
}
_GPU = _at(
    "machinery.gpu_absent",
    "pygpu_activated cuda_available cuda_enabled dnn_available dnn_present use get_context "
    "init_dev host_from_gpu gpu_from_host gpu_contiguous gpu_alloc_empty dnn_conv dnn_pool "
    "ContextNotDefined GpuArrayType GpuArrayVariable GpuArrayConstant GpuArraySharedVariable "
    "CudaNdarrayType CudaNdarraySharedVariable CudaNdarrayVariable CudaNdarray "
    "CudaNdarrayConstant GpuOp",
)
_CONFIG = _at(
    "configuration",
    "config change_flags AddConfigVar ConfigParam EnumStr StrParam IntParam FloatParam BoolParam",
)
_SPARSE = {
    "SparseType": "sparse.SparseTensorType|sparse.SparseType",
    "SparseVariable": "sparse.variable.SparseVariable|sparse.basic.SparseVariable",
    "SparseConstant": "sparse.variable.SparseConstant|sparse.basic.SparseConstant",
    "_is_sparse_variable": "machinery.graphs:is_sparse_variable",
    "enable_sparse": "machinery.compat_names:PY3",
}

NAMES: Dict[str, Dict[str, str]] = {
    "theano": dict(
        _LOOPS,
        **_GRADIENTS,
        **_CALLS,
        **{
            "__version__": "version:THEANO_VERSION",
            "__file__": "version:FILE",
            "config": "configuration:config",
            "change_flags": "configuration:change_flags",
            "function": "ops.compiling:function",
            "function_dump": "ops.compiling:function_dump",
            "generic": "compile.ops.generic|link.c.type.generic|link.c.type.CDataType",
            "shared": "machinery.plain_arrays:shared",
            "Op": "machinery.graphs:TheanoOp",
            "Apply": "graph.basic.Apply",
            "Variable": "machinery.graphs:TheanoVariable",
            "Constant": "graph.basic.Constant",
            "dot": "tensor.dot",
            "pp": "machinery.printed:pp",
            "_asarray": "ops.tensor_functions:asarray",
            "as_op": "compile.ops.as_op",
            "OrderedUpdates": "machinery.updates:OrderedUpdates",
            "test": "machinery.testing:test",
            "OpFromGraph": "compile.builders.OpFromGraph",
            "clone": "machinery.graphs:clone",
            "sparse_grad": "gradient.sparse_grad|machinery.graphs:sparse_grad",
            "get_scalar_constant_value": _CONSTANT_VALUE,
        },
    ),
    "theano.tensor": _TENSOR_NAMES,
    "theano.tensor.basic": _TENSOR_NAMES,
    "theano.tensor.extra_ops": dict(
        _at("ops.tensor_functions", "to_one_hot unravel_index"),
        **_at("machinery.op_classes", "CumOp CumsumOp CumprodOp DiffOp RepeatOp Unique"),
    ),
    "theano.tensor.sharedvar": {
        "ScalarSharedVariable": "tensor.sharedvar.TensorSharedVariable",
        "shared": "machinery.plain_arrays:shared",
    },
    "theano.tensor.nlinalg": _LINALG_NAMES,
    "theano.tensor.slinalg": _LINALG_NAMES,
    "theano.tensor.elemwise": _at("machinery.op_classes", "DimShuffle"),
    "theano.tensor.subtensor": _SUBTENSORS,
    "theano.tensor.sort": _TOPK,
    "theano.tensor.opt": dict(
        _REGISTER,
        **_REWRITES,
        Assert="raise_op.Assert",
        assert_op="raise_op.assert_op",
        assert_="raise_op.assert_op",
        ShapeFeature="tensor.rewriting.shape.ShapeFeature",
    ),
    "theano.tensor.xlogx": _at("ops.tensor_functions", "xlogx xlogy0"),
    "theano.tensor.raw_random": {
        "RandomStreamsBase": "random.numpy_streams:RandomStreams",
        "RandomFunction": "random.numpy_functions:RandomFunction",
    },
    "theano.tensor.nnet": dict(
        _NNET,
        **_CONV,
        **_at("ops.conv_more", "separable_conv2d abstract_conv2d"),
        scalar_sigmoid="ops.nnet:sigmoid",
        batch_normalization="ops.batchnorm:batch_normalization",
    ),
    "theano.tensor.nnet.nnet": _NNET,
    "theano.tensor.nnet.sigm": _SIGM,
    "theano.tensor.nnet.blocksparse": _at("ops.crossentropy", "sparse_block_dot"),
    "theano.tensor.nnet.conv": dict(
        _at("ops.conv_more", "get_conv_output_shape get_conv_shape_1axis"),
        conv2d="ops.conv_more:old_conv2d",
        imported_scipy_signal="machinery.compat_names:PY3",
    ),
    "theano.tensor.nnet.corr": {"CorrMM": "ops.conv_more:CorrMM"},
    "theano.tensor.nnet.corr3d": {"Corr3dMM": "ops.conv_more:Corr3dMM"},
    "theano.tensor.nnet.ctc": _at(
        "machinery.ctc_names", "ctc ctc_available ConnectionistTemporalClassification"
    ),
    "theano.gpuarray.ctc": _at(
        "machinery.ctc_names", "gpu_ctc ctc_available GpuConnectionistTemporalClassification"
    ),
    "theano.tensor.nnet.conv3d2d": {"conv3d": "ops.conv:conv3d2d"},
    "theano.tensor.nnet.neighbours": _at("ops.neighbours", "images2neibs neibs2images"),
    "theano.tensor.nnet.bn": _at(
        "ops.batchnorm",
        "batch_normalization batch_normalization_train batch_normalization_test "
        "AbstractBatchNormTrain AbstractBatchNormTrainGrad AbstractBatchNormInference",
    ),
    "theano.tensor.nnet.abstract_conv": _ABSTRACT_CONV,
    "theano.tensor.signal.conv": {"conv2d": "ops.conv_more:signal_conv2d"},
    "theano.tensor.signal.pool": dict(
        _at("ops.pool", "pool_2d pool_3d max_pool_2d_same_size"), Pool="ops.pool:TheanoPool"
    ),
    "theano.tensor.signal.downsample": {
        "max_pool_2d": "ops.pool:pool_2d",
        "max_pool_2d_same_size": "ops.pool:max_pool_2d_same_size",
        "DownsampleFactorMax": "ops.pool:TheanoPool",
    },
    "theano.tensor.shared_randomstreams": _at(
        "random.numpy_streams", "RandomStreams RandomStateSharedVariable"
    ),
    "theano.sandbox.rng_mrg": {
        "MRG_RandomStreams": "random.mrg_streams:MRG_RandomStreams",
        "guess_n_streams": "random.mrg_sizes:streams_for",
    },
    "theano.sandbox.softsign": {"softsign": "ops.nnet:softsign"},
    "theano.sandbox.neighbours": _at("ops.neighbours", "images2neibs neibs2images"),
    "theano.sandbox.cuda": _GPU,
    "theano.sandbox.cuda.dnn": _GPU,
    "theano.sandbox.cuda.var": _GPU,
    "theano.sandbox.cuda.type": _GPU,
    "theano.sandbox.cuda.basic_ops": _GPU,
    "theano.sandbox.gpuarray": _GPU,
    "theano.sandbox.gpuarray.dnn": _GPU,
    "theano.sandbox.linalg": _LINALG_NAMES,
    "theano.sandbox.linalg.ops": _LINALG_NAMES,
    "theano.gpuarray": _GPU,
    "theano.gpuarray.dnn": _GPU,
    "theano.gpuarray.type": _GPU,
    "theano.gpuarray.basic_ops": _GPU,
    "theano.printing": _at(
        "machinery.printed",
        "pp debugprint min_informative_str var_descriptor pydot_imported pydot_imported_msg",
    ),
    "theano.ifelse": {
        "ifelse": "ops.compiling:ifelse",
        "IfElse": "conditional.op.IfElse|ifelse.IfElse",
    },
    "theano.gradient": dict(
        _GRADIENTS,
        format_as="gradient.as_list_or_tuple|machinery.graphs:format_as",
        consider_constant="ops.looping:consider_constant",
        consider_constant_="ops.looping:consider_constant",
        verify_grad="machinery.testing:tensor_verify_grad",
    ),
    "theano.updates": {"OrderedUpdates": "machinery.updates:OrderedUpdates"},
    "theano.version": {
        "version": "version:THEANO_VERSION",
        "full_version": "version:THEANO_VERSION",
        "short_version": "version:SHORT_VERSION",
        "release": "machinery.compat_names:PY3",
    },
    "theano.configparser": _CONFIG,
    "theano.configdefaults": dict(
        _at("machinery.compat_names", "local_bitwidth python_int_bitwidth"),
        config="configuration:config",
    ),
    "theano.sparse": _SPARSE,
    "theano.sparse.basic": _SPARSE,
    "theano.compile": dict(
        _CALLS,
        function="ops.compiling:function",
        pfunc="ops.compiling:pfunc",
        shared="machinery.plain_arrays:shared",
        config="configuration:config",
        **_MODES,
    ),
    "theano.compile.io": _CALLS,
    "theano.compile.mode": _MODES,
    "theano.compile.monitormode": _MONITOR,
    "theano.compile.ops": {"Rebroadcast": "ops.tensor_functions:rebroadcast"},
    "theano.compile.function": {"function": "ops.compiling:function"},
    "theano.compile.pfunc": dict(
        _CALLS, pfunc="ops.compiling:pfunc", shared="machinery.plain_arrays:shared"
    ),
    "theano.compile.sharedvalue": {"shared": "machinery.plain_arrays:shared"},
    "theano.gof": dict(
        _OPS,
        Variable="machinery.graphs:TheanoVariable",
        **_GRAPHS,
        **_REWRITES,
        hashtype="machinery.graphs:hashtype",
        MethodNotDefined="graph.utils.MethodNotDefined",
        generic="compile.ops.generic|link.c.type.generic",
        Generic="link.c.type.Generic",
    ),
    "theano.gof.graph": dict(_GRAPHS, Variable="machinery.graphs:TheanoVariable"),
    "theano.gof.op": dict(_OPS, **_DEBUG_VALUES),
    "theano.gof.opt": dict(_REWRITES),
    "theano.gof.optdb": {key: _REWRITES[key] for key in ("DB", "Query", "EquilibriumDB")},
    "theano.gof.compilelock": _at("machinery.compat_names", "get_lock release_lock"),
    "theano.compat": _at(
        "machinery.compat_names",
        "PY3 b BytesIO Callable next configparser reload cmp operator_div DictMixin Iterable "
        "Mapping OrderedDict ValuesView decode decode_iter decode_with get_unbound_function imap "
        "izip ifilter exc_message DefaultOrderedDict six",
    ),
    "theano.misc.may_share_memory": _at("machinery.compat_names", "may_share_memory"),
    "theano.misc.strutil": _at("machinery.compat_names", "render_string"),
    "theano.misc.safe_asarray": {"_asarray": "ops.tensor_functions:asarray"},
    "theano.tests.unittest_tools": dict(
        _at(
            "machinery.testing",
            "fetch_seed seed_rng verify_grad WrongValue assert_allclose assertFailure_fast "
            "AttemptManyTimes",
        ),
        **_at(
            "machinery.test_cases",
            "SkipTest attr MockRandomState TestOptimizationMixin T_OpContractMixin "
            "InferShapeTester custom_name_func",
        ),
    ),
    "theano.tests.disturb_mem": _at("machinery.testing", "disturb_mem"),
    "theano.scan_module": _LOOPS,
    "theano.scan_module.scan": _LOOPS,
    "theano.scan_module.scan_utils": dict(_LOOPS, clone="machinery.graphs:clone"),
}
