"""The C linkers of the family: the call of the compiled library that generated code makes.

The library is the one that kernel_library.py finds or builds once, not the kernel's text pasted into each module: a module then compiles
in 0.8 s instead of 3, and takes the library's entry by its address when it is first run. A stable checksum of the call is the
cache version (Theano 1.0.5 hashes the version's repr, and a str's hash differs from process to process).
"""

import zlib

from ctc_shim import contract
from ctc_shim.native import kernel_library

ENTRY = """
typedef npy_int64 ctc_shim_entry(%s);

/* The library's entry of this name; NULL with a Python error where the library that was there at compile time is gone. */
static ctc_shim_entry *ctc_shim_find(const char *name) {
    PyObject *native = PyImport_ImportModule("ctc_shim.native.kernel_library");
    PyObject *address = native ? PyObject_CallMethod(native, (char *)"address", (char *)"s", name) : NULL;
    void *found = address ? PyLong_AsVoidPtr(address) : NULL;
    Py_XDECREF(address);
    Py_XDECREF(native);
    return (ctc_shim_entry *)found;
}
"""

CALL = """
{
    static ctc_shim_entry *entry = NULL;
    if (!entry && !(entry = ctc_shim_find("ctc_shim_%(suffix)s"))) { %(fail)s }
    /* The arguments' leading lengths are checked here, the rest in the kernel. */
    const npy_intp count = PyArray_DIM(%(scores)s, %(row_axis)d);
    if (PyArray_DIM(%(targets)s, 0) != count || PyArray_DIM(%(input_lengths)s, 0) != count
            || PyArray_DIM(%(target_lengths)s, 0) != count %(upstream_differs)s) {
        PyObject *host = PyImport_ImportModule("ctc_shim.native.host");
        PyObject *nothing = host ? PyObject_CallMethod(host, (char *)"check_counts", (char *)"nOOO%(upstream_format)s",
            (Py_ssize_t)count, %(targets)s, %(input_lengths)s, %(target_lengths)s %(upstream_argument)s) : NULL;
        Py_XDECREF(nothing);
        Py_XDECREF(host);
        %(fail)s
    }
    npy_int64 report[4] = {0, 0, 0, 0};
    npy_intp loss_shape[1] = {count};
    if (!%(loss)s || PyArray_DIM(%(loss)s, 0) != count || !PyArray_ISCARRAY(%(loss)s)) {
        Py_XDECREF(%(loss)s);
        %(loss)s = (PyArrayObject *)PyArray_EMPTY(1, loss_shape, %(typenum)s, 0);
        if (!%(loss)s) { %(fail)s }
    }
    %(gradient_storage)s
    npy_int64 error;
    Py_BEGIN_ALLOW_THREADS
    error = entry(
        PyArray_DATA(%(scores)s), PyArray_STRIDE(%(scores)s, %(row_axis)d),
        PyArray_STRIDE(%(scores)s, %(frame_axis)d), PyArray_STRIDE(%(scores)s, 2),
        count, PyArray_DIM(%(scores)s, %(frame_axis)d), PyArray_DIM(%(scores)s, 2),
        PyArray_DATA(%(targets)s), PyArray_STRIDE(%(targets)s, 0), PyArray_STRIDE(%(targets)s, 1),
        PyArray_DIM(%(targets)s, 1),
        PyArray_DATA(%(input_lengths)s), PyArray_STRIDE(%(input_lengths)s, 0),
        PyArray_DATA(%(target_lengths)s), PyArray_STRIDE(%(target_lengths)s, 0),
        %(blank)dL, %(normalize)d, %(policy)d,
        PyArray_DATA(%(loss)s), %(gradient_data)s, 0,
        %(upstream_data)s, 0, report);
    Py_END_ALLOW_THREADS
    if (error) {
        PyObject *host = PyImport_ImportModule("ctc_shim.native.host");
        PyObject *nothing = host ? PyObject_CallMethod(host, (char *)"fail", (char *)"(LLLL)nLO",
            (long long)error, (long long)report[1], (long long)report[2], (long long)report[3],
            (Py_ssize_t)PyArray_DIM(%(scores)s, 2), (long long)%(blank)d, %(target_lengths)s) : NULL;
        Py_XDECREF(nothing);
        Py_XDECREF(host);
        %(fail)s
    }
}
"""

GRADIENT_STORAGE = """
    if (!%(gradient)s || !PyArray_ISCARRAY(%(gradient)s)
            || PyArray_DIM(%(gradient)s, 0) != PyArray_DIM(%(scores)s, 0)
            || PyArray_DIM(%(gradient)s, 1) != PyArray_DIM(%(scores)s, 1)
            || PyArray_DIM(%(gradient)s, 2) != PyArray_DIM(%(scores)s, 2)) {
        Py_XDECREF(%(gradient)s);
        %(gradient)s = (PyArrayObject *)PyArray_EMPTY(3, PyArray_DIMS(%(scores)s), %(typenum)s, 0);
        if (!%(gradient)s) { %(fail)s }
    }
"""


def support_code():
    """The type of the library's entries, and how one is found."""
    return ENTRY % ", ".join(
        "void *" if argument is kernel_library.P else "npy_int64"
        for argument in kernel_library.ARGUMENTS
    )


def cache_version():
    """A tuple of plain integers that changes with the text of the call."""
    return (zlib.crc32((support_code() + CALL + GRADIENT_STORAGE).encode("utf-8")),)


def code(op, inputs, outputs, dtype, fail):
    """The C statements for one node of `op` (see op.py for its attributes); names of the C variables are given.

    NotImplementedError where there is no library: the linker then runs the op's perform, and that numpy.
    """
    if kernel_library.load() is None:
        raise NotImplementedError("no compiled kernel")
    names = dict(zip(("scores", "targets", "input_lengths", "target_lengths", "upstream"), inputs))
    names.update(zip(("loss", "gradient"), outputs))
    upstream = names.get("upstream")
    row_axis = 1 if op.time_major else 0
    names.update(
        fail=fail,
        suffix="f32" if dtype == "float32" else "f64",
        typenum="NPY_FLOAT32" if dtype == "float32" else "NPY_FLOAT64",
        row_axis=row_axis,
        frame_axis=1 - row_axis,
        blank=op.blank,
        normalize=int(op.normalize),
        policy=contract.check_policy(op.infeasible),
        gradient_storage="",
        gradient_data="NULL, 0, 0",
        upstream_data="NULL, 0",
        upstream_differs="",
        upstream_format="",
        upstream_argument="",
    )
    if op.with_gradient:
        names["gradient_storage"] = GRADIENT_STORAGE % names
        names["gradient_data"] = (
            "PyArray_DATA(%(gradient)s), PyArray_STRIDE(%(gradient)s, %(row_axis)d), "
            "PyArray_STRIDE(%(gradient)s, %(frame_axis)d)" % names
        )
    if upstream:
        names.update(
            upstream_differs="|| PyArray_DIM(%s, 0) != count" % upstream,
            upstream_format="O",
            upstream_argument=", " + upstream,
            upstream_data="PyArray_DATA(%(upstream)s), PyArray_STRIDE(%(upstream)s, 0)" % names,
        )
    return CALL % names
