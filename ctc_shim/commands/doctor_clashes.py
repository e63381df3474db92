"""Packages that do not work together, as far as tox.ini knows: the cause, and what to install.

Versions come from the names of the metadata folders, so that nothing is imported and damaged
metadata do no harm.
"""

import os
import platform
import re
import sys
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

KERAS_231 = 'pip install "Keras==2.3.1" "keras_applications==1.0.8" "keras_preprocessing==1.1.2"'
ON_PYTENSOR = "pip install ctc-shim[pytensor], and run scripts by: python -m ctc_shim run"


NO_BACKEND = tuple(
    (name, "absent") for name in ("theano", "theano-pymc", "pytensor", "aesara", "tensorflow")
)


class Clash(NamedTuple):
    """Packages that do not work together."""

    breaks: str  # the package that suffers
    where: Tuple[Tuple[str, str], ...]  # all of these must hold: (name, "<, >= or == version")
    cause: str
    fix: str
    loads: bool = False  # the package loads all the same, and fails later
    says: str = ""  # what is in its error, where versions alone do not tell


CLASHES = (
    Clash(
        "theano",
        (("theano", ">=0"), ("theano-pymc", ">=0")),
        "both are the package `theano`, and each has overwritten files of the other",
        "pip uninstall -y Theano Theano-PyMC, then pip install one of them",
        loads=True,
    ),
    Clash(
        "theano",
        (("theano", ">=0"), ("python", ">=3.12")),
        "Theano needs distutils, which Python has no longer had since 3.12",
        ON_PYTENSOR,
    ),
    Clash(
        "theano",
        (("theano-pymc", ">=0"), ("python", ">=3.12")),
        "Theano-PyMC needs distutils, which Python has no longer had since 3.12",
        ON_PYTENSOR,
    ),
    Clash(
        "theano",
        (("theano", ">=0"), ("python", ">=3.11"), ("python", "<3.12")),
        "Theano's C code includes longintrepr.h, which Python 3.11 moved",
        'pip install "numpy==1.23.5", and run with THEANO_FLAGS=cxx=,blas.ldflags= (slow); or '
        + ON_PYTENSOR,
    ),
    Clash(
        "theano",
        (("theano", ">=0"), ("numpy", ">=1.24"), ("python", "<3.11")),
        "Theano uses np.bool and other names that numpy removed or changed in 1.24 and 2.0",
        'pip install "numpy==1.21.6"',
    ),
    Clash(
        "theano",
        (("theano", ">=0"), ("numpy", ">=1.22"), ("numpy", "<1.24"), ("python", "<3.11")),
        "Theano reads numpy.distutils.__config__.blas_opt_info, which numpy has not had since 1.22",
        'pip install "numpy==1.21.6", or run with THEANO_FLAGS=blas.ldflags=',
    ),
    Clash(
        "theano",
        (("theano-pymc", ">=0"), ("numpy", ">=1.22"), ("python", "<3.11")),
        "Theano-PyMC reads numpy.distutils.__config__.blas_opt_info, which numpy has not had since "
        "1.22, and names that numpy removed in 1.24",
        'pip install "numpy==1.21.6"',
    ),
    Clash(
        "theano",
        (("theano", ">=0"), ("scipy", "absent")),
        "Theano needs scipy",
        'pip install "scipy<1.8"',
        says="scipy",
    ),
    Clash(
        "theano",
        (("theano", ">=0"), ("scipy", ">=1.8")),
        "Theano's convolutions without a C compiler need private names of scipy.signal, which "
        "scipy 1.8 moved",
        'pip install "scipy<1.8"',
        loads=True,
    ),
    *[
        Clash(
            name.partition("-")[0],
            ((name, ">=0"), ("setuptools", ">=60")),
            "it needs numpy.distutils, which does not work with the distutils of newer setuptools",
            'pip install "setuptools<60"',
            says="distutils",
        )
        for name in ("theano", "theano-pymc", "aesara")
    ],
    Clash(
        "aesara",
        (("aesara", ">=0"), ("numpy", ">=2")),
        "Aesara uses names that numpy removed in 2.0",
        'pip install "numpy<2"',
    ),
    Clash(
        "pytensor",
        (("pytensor", "<2.21"), ("numpy", ">=2")),
        "PyTensor before 2.21 uses names that numpy removed in 2.0",
        'pip install "numpy<2", or pip install -U pytensor',
    ),
    Clash(
        "pytensor",
        (("pytensor", "<2.19"), ("scipy", ">=1.13")),
        "PyTensor before 2.19 uses names that scipy removed in 1.13",
        'pip install "scipy<1.13", or pip install -U pytensor',
    ),
    Clash(
        "keras",
        (("keras", ">=3"), ("KERAS_BACKEND", "theano")),
        "Keras 3 has no Theano backend, and KERAS_BACKEND=theano asks for it",
        KERAS_231 + ", or unset KERAS_BACKEND",
    ),
    Clash(
        "keras",
        (("keras", ">=2.4"), ("keras", "<3"), ("KERAS_BACKEND", "theano")),
        "Keras has run on TensorFlow only since 2.4; KERAS_BACKEND=theano is not read",
        KERAS_231,
        loads=True,
    ),
    Clash(
        "keras",
        (("keras", "<2.4"),) + NO_BACKEND,
        "there is no backend for Keras here",
        ON_PYTENSOR,
    ),
    Clash(
        "keras",
        (("keras", ">=2.2.3"), ("keras", "<2.4"), ("keras-applications", "absent")),
        "Keras 2.2.3 - 2.3.1 need keras_applications",
        'pip install "keras_applications==1.0.8"',
    ),
    Clash(
        "keras",
        (("keras", ">=2.2.3"), ("keras", "<2.4"), ("keras-preprocessing", "absent")),
        "Keras 2.2.3 - 2.3.1 need keras_preprocessing",
        'pip install "keras_preprocessing==1.1.2"',
    ),
    Clash(
        "keras",
        (("keras", "<2"), ("setuptools", ">=60")),
        "Keras 1 imports pkg_resources, which newer setuptools do not have",
        'pip install "setuptools<60"',
        says="pkg_resources",
    ),
    Clash(
        "keras",
        (("keras", "<2"), ("setuptools", "absent")),
        "Keras 1 imports pkg_resources, which is a part of setuptools",
        'pip install "setuptools<60"',
    ),
    Clash(
        "keras",
        (("keras", "<2.4"), ("h5py", ">=3"), ("python", "<3.9")),
        "Keras reads text from h5 files as h5py before 3 gave it: load_model fails with 'str' "
        "object has no attribute 'decode'",
        'pip install "h5py<3"',
        loads=True,
    ),
    Clash(
        "tensorflow",
        (("tensorflow", "<2"), ("protobuf", ">=3.21")),
        "TensorFlow 1 was generated for protobuf before 3.21 ('Descriptors cannot be created "
        "directly')",
        'pip install "protobuf<3.21"',
        loads=True,
    ),
    Clash(
        "tensorflow",
        (("tensorflow", "<2"), ("numpy", ">=1.20")),
        "TensorFlow 1 cannot convert tensors to arrays with numpy 1.20 and newer",
        'pip install "numpy<1.19"',
        loads=True,
    ),
)


def found(broken: Mapping[str, str]) -> List[Dict[str, str]]:
    """The clashes here, as dicts of breaks, cause and fix.

    Parameters
    ----------
    broken : mapping
        The packages that do not load or compute, with their errors. A clash is reported where its
        package is one of them, or fails later.
    """
    versions = installed()
    versions["python"] = platform.python_version()
    backend = os.environ.get("KERAS_BACKEND")
    if backend:
        versions["KERAS_BACKEND"] = backend
    return [
        {"breaks": clash.breaks, "cause": _told(clash, versions), "fix": clash.fix}
        for clash in CLASHES
        if (clash.loads or clash.breaks in broken and clash.says in broken[clash.breaks])
        and all(_holds(versions.get(name), wanted) for name, wanted in clash.where)
    ]


def installed() -> Dict[str, str]:
    """{name in lower case with hyphens: version} of what is installed, the first on sys.path."""
    versions: Dict[str, str] = {}
    for folder in sys.path:
        try:
            names = sorted(os.listdir(folder or "."))
        except OSError:
            continue
        for name in names:
            match = re.match(r"(.+?)-(\d[^-]*)(?:-py[\d.]+)?\.(?:dist|egg)-info$", name)
            if match:
                versions.setdefault(re.sub(r"[-_.]+", "-", match.group(1)).lower(), match.group(2))
    return versions


def _holds(version: Any, wanted: str) -> bool:
    if wanted == "absent" or version is None:
        return wanted == "absent" and version is None
    match = re.match(r"(>=|<)(.+)$", wanted)
    if not match:
        return bool(version == wanted)
    is_older = _numbers(version) < _numbers(match.group(2))
    return is_older == (match.group(1) == "<")


def _numbers(version: str) -> List[int]:
    """[1, 24] for "1.24" and "1.24.0rc1": zeros at the end count for nothing."""
    numbers = [int(number) for number in re.findall(r"(?:^|(?<=\.))\d+", version)]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def _told(clash: Clash, versions: Mapping[str, str]) -> str:
    """The cause, after the versions that it is about."""
    told = [name for name, wanted in clash.where if wanted != "absent"]
    parts = [
        "%s%s%s" % (name, "=" if name.isupper() else " ", versions[name])
        for name in dict.fromkeys(told)
        if name != "python" or "python" in clash.cause.lower() or len(set(told)) == 2
    ]
    return "%s: %s" % (" beside ".join(parts), clash.cause)
