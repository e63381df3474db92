"""csrc/ctc_shim.h for Python. Made by tools/bindings.py: change the header instead."""

import ctypes

ABI = 5

TYPE_F32 = 0
TYPE_F64 = 1
TYPE_BF16 = 2
TYPE_F16 = 3

POLICY_INF = 0
POLICY_ZERO = 1
POLICY_RAISE = 2
POLICY_TENSORFLOW = 3

ERROR_INPUT_LENGTH = 1
ERROR_TARGET_LENGTH = 2
ERROR_LABEL = 3
ERROR_INFEASIBLE = 4
ERROR_BLANK = 5
ERROR_MEMORY = 6
ERROR_ROWS = 7
ERROR_SIZE = 8
ERROR_SIGNAL = 9

INPUT_SCORES = 0
INPUT_PROBABILITIES = 1

MODE_GRADIENT = 0
MODE_POSTERIORS = 1
MODE_PYTORCH = 2


class Python(ctypes.Structure):
    """ctc_shim_python."""

    _fields_ = [("save", ctypes.c_void_p), ("restore", ctypes.c_void_p), ("check", ctypes.c_void_p)]


class Call(ctypes.Structure):
    """ctc_shim_call."""

    _fields_ = [
        ("type", ctypes.c_int64),
        ("logits", ctypes.c_void_p),
        ("logits_stride_n", ctypes.c_int64),
        ("logits_stride_t", ctypes.c_int64),
        ("logits_stride_c", ctypes.c_int64),
        ("N", ctypes.c_int64),
        ("T", ctypes.c_int64),
        ("C", ctypes.c_int64),
        ("S", ctypes.c_int64),
        ("targets", ctypes.c_void_p),
        ("targets_stride_n", ctypes.c_int64),
        ("targets_stride_s", ctypes.c_int64),
        ("input_lengths", ctypes.c_void_p),
        ("input_lengths_stride", ctypes.c_int64),
        ("target_lengths", ctypes.c_void_p),
        ("target_lengths_stride", ctypes.c_int64),
        ("blank", ctypes.c_int64),
        ("normalize", ctypes.c_int64),
        ("policy", ctypes.c_int64),
        ("input", ctypes.c_int64),
        ("epsilon", ctypes.c_double),
        ("mode", ctypes.c_int64),
        ("loss", ctypes.c_void_p),
        ("gradient", ctypes.c_void_p),
        ("gradient_stride_n", ctypes.c_int64),
        ("gradient_stride_t", ctypes.c_int64),
        ("upstream", ctypes.c_void_p),
        ("upstream_stride", ctypes.c_int64),
        ("states", ctypes.c_void_p),
        ("threads", ctypes.c_int64),
        ("python", ctypes.c_void_p),
        ("report", ctypes.c_int64 * 4),
    ]


class DecodeCall(ctypes.Structure):
    """ctc_shim_decode_call."""

    _fields_ = [
        ("type", ctypes.c_int64),
        ("logits", ctypes.c_void_p),
        ("logits_stride_n", ctypes.c_int64),
        ("logits_stride_t", ctypes.c_int64),
        ("logits_stride_c", ctypes.c_int64),
        ("N", ctypes.c_int64),
        ("T", ctypes.c_int64),
        ("C", ctypes.c_int64),
        ("input_lengths", ctypes.c_void_p),
        ("input_lengths_stride", ctypes.c_int64),
        ("blank", ctypes.c_int64),
        ("normalize", ctypes.c_int64),
        ("beam_width", ctypes.c_int64),
        ("paths", ctypes.c_int64),
        ("merge", ctypes.c_int64),
        ("labels", ctypes.c_void_p),
        ("lengths", ctypes.c_void_p),
        ("log_probs", ctypes.c_void_p),
        ("threads", ctypes.c_int64),
        ("python", ctypes.c_void_p),
        ("report", ctypes.c_int64 * 4),
    ]
