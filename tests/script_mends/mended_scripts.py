"""Scripts that stop on today's libraries: what each leaves in `got`, and what the line names."""

import importlib.util

import numpy as np

PACKAGES = ("h5py", "PIL", "scipy", "sklearn", "yaml")
HERE = {name: importlib.util.find_spec(name) is not None for name in PACKAGES}

# name: (a script that leaves its answer in `got`, the answer, what the line names)
NUMPY = "import numpy as np\n"
MENDS = {
    "float": (NUMPY + "got = np.zeros(1, np.float).dtype.name", "float64", "numpy.float:"),
    "int": ("import numpy\ngot = numpy.int(3)", 3, "numpy.int:"),
    "bool": (NUMPY + "got = np.ones(2, dtype=np.bool).dtype.name", "bool", "numpy.bool:"),
    "object": ("from numpy import object as o\ngot = o is object", True, "numpy.object:"),
    "unicode_": (NUMPY + "got = np.dtype(np.unicode_).kind", "U", "numpy.unicode_:"),
    "Inf": (NUMPY + "got = np.Inf", np.inf, "numpy.Inf:"),
    "ragged": (NUMPY + "got = np.array([[1, 2], [3]]).shape", (2,), "rows of several lengths:"),
    "asarray": (NUMPY + "got = np.asarray([[1, 2], [3]]).shape", (2,), "rows of several lengths:"),
    "load": (
        NUMPY + "np.save('x.npy', np.array([{'a': 1}], dtype=object))\ngot = np.load('x.npy')[0]",
        {"a": 1},
        "np.load of pickled objects:",
    ),
    "one number": (NUMPY + "got = int(np.array([3])), float(np.array([[.5]]))", (3, 0.5), "int("),
    "fromstring": (
        NUMPY + "got = list(np.fromstring(b'abcd', np.int16))",
        [25185, 25699],
        "bytes:",
    ),
    "tostring": (NUMPY + "got = np.ones(1, np.uint8).tostring()", b"\x01", "array.tostring:"),
    "dtype a": (NUMPY + "got = np.array(['ab']).astype('a3').dtype.str", "|S3", "dtype 'a':"),
    "dtype a by name": (NUMPY + "got = np.zeros(1, dtype='a3').dtype.str", "|S3", "dtype 'a':"),
    "reload": (
        "from imp import reload\nimport string\ngot = reload(string) is string",
        True,
        "imp",
    ),
    "imp": ("import imp, string\ngot = imp.reload(string) is string", True, "imp.reload:"),
    "Iterable": (
        "import collections\ngot = isinstance([], collections.Iterable)",
        True,
        "collections.Iterable:",
    ),
    "from collections": (
        "from collections import Counter, Iterable as I\ngot = isinstance(Counter(), I)",
        True,
        "collections.Iterable:",
    ),
    "getargspec": (
        "import inspect\ngot = list(inspect.getargspec(lambda a, b: 0).args)",
        ["a", "b"],
        "inspect.getargspec:",
    ),
    "clock": ("import time\ngot = time.clock() >= 0", True, "time.clock:"),
    "randint": ("import random\ngot = 0 <= random.randint(0, 10e6) <= 10e6", True, "randint"),
    "json": (
        NUMPY + "import json\ngot = json.dumps({'loss': [np.float32(.5)]})",
        '{"loss": [0.5]}',
        "json.dumps",
    ),
    "json in a file": (
        NUMPY + "import json\nwith open('a', 'w') as f:\n"
        "    json.dump([1, {'b': np.ones(1)}, np.float32(2)], f)\ngot = open('a').read()",
        '[1, {"b": [1.0]}, 2.0]',
        "json.dumps",
    ),
    "csv": (
        "import csv\nwith open('a', 'wb') as f:\n    w = csv.writer(f)\n    w.writerow([1, 'b,'])\n"
        "    w.writerows([[2], [3]])\ngot = open('a', newline='').read()",
        '1,"b,"\r\n2\r\n3\r\n',
        "csv file",
    ),
    "open": ("open('a', 'w').close()\ngot = open('a', 'rU').read()", "", "open(path, 'rU'):"),
    "setdefaultencoding": (
        "import sys\ngot = sys.setdefaultencoding('utf-8')",
        None,
        "sys.setdefaultencoding:",
    ),
}
MENDS["warp-ctc"] = (
    NUMPY + "import ctc\ncosts, slopes = ctc.cpu_ctc_np(np.zeros((3, 2, 4)), [3, 2], [1, 2, 3, 3],"
    " [2, 2])\ngot = costs.round(3).tolist(), slopes.shape",
    (np.float32([2.549, 0]).tolist(), (3, 2, 4)),  # a repeat does not fit 2 frames: warp-ctc has 0
    "ctc.cpu_ctc_np:",
)
MENDS["letters"] = ("import string\ngot = string.letters[:2]", "ab", "string.letters:")
if HERE["sklearn"]:
    MENDS["cross_validation"] = (
        "from sklearn.cross_validation import train_test_split as t\ngot = len(t([1, 2, 3, 4]))",
        2,
        "sklearn.cross_validation.train_test_split:",
    )
    MENDS["grid_search"] = (
        "from sklearn.grid_search import ParameterGrid as g\ngot = len(g({'a': [1, 2]}))",
        2,
        "sklearn.grid_search.ParameterGrid:",
    )
    MENDS["joblib"] = (
        "from sklearn.externals import joblib\ngot = joblib.__name__",
        "joblib",
        "sklearn.externals.joblib:",
    )
if HERE["yaml"]:
    MENDS["yaml"] = ("import yaml\ngot = yaml.load('a: 1')", {"a": 1}, "yaml.load(x):")
if HERE["scipy"] and HERE["PIL"]:
    IMAGE = "import numpy as np\nx = np.arange(16, dtype=np.uint8).reshape(4, 4) * 9\n"
    MENDS["imread"] = (
        IMAGE + "from scipy.misc import imread, imsave\nimsave('x.png', x)\n"
        "got = imread('x.png').tolist() == x.tolist()",
        True,
        "scipy.misc.imread:",
    )
    MENDS["imresize"] = (
        IMAGE + "import scipy.misc\ngot = scipy.misc.imresize(x, (2, 8)).shape",
        (2, 8),
        "scipy.misc.imresize:",
    )
    MENDS["misc"] = (
        IMAGE + "from scipy import misc\ngot = misc.imresize(x, .5).shape",
        (2, 2),
        "scipy.misc.imresize:",
    )
if HERE["scipy"]:
    MENDS["hamming"] = (
        "from scipy.signal import hamming\ngot = hamming(3)[1]",
        1,
        "scipy.signal.hamming:",
    )
if HERE["PIL"]:
    MENDS["ANTIALIAS"] = ("from PIL import Image\ngot = int(Image.ANTIALIAS)", 1, "ANTIALIAS:")
if HERE["PIL"]:
    MENDS["getsize"] = (
        "from PIL import ImageFont\ngot = ImageFont.load_default().getsize('a')[0] > 0",
        True,
        "font.getsize:",
    )
if HERE["h5py"]:
    FILE = "import h5py\nf = h5py.File('x.h5', 'w')\n"
    MENDS["value"] = (
        FILE
        + "f['a'] = [1, 2]\nf['t'] = 'text'\ngot = f['a'].value.tolist(), f['t'].value\nf.close()",
        ([1, 2], "text"),
        "dataset.value:",
    )
    MENDS["decode"] = (
        FILE + "f.attrs['a'] = 'text'\nt = f.attrs['a']\nf.close()\ngot = t.decode('utf8')",
        "text",
        "str.decode:",
    )
