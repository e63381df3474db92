"""Fetches other projects' own tests of CTC, which are not stored here."""

import glob
import hashlib
import os
import subprocess
import sys
import tarfile

# PyTorch's tests are in no wheel; Debian's source package of it has them.
DEBIAN = dict(version="2.6.0+dfsg", suite="trixie")
SHA256 = "099a9601bc40d67656e75735c44abedb0fbe92d08817852ab7472eebb7e6ddff"
BAIDU = "torch-baidu-ctc==0.3.0"


def pytorch_tests(named, folder):
    """The path of test_nn.py.

    `named` is the folder `test` of a checkout, or "fetch": then apt fetches the source package into
    `folder`.
    """
    if named != "fetch":
        return os.path.join(named, "test_nn.py")
    for name in ("sources", "lists", "cache"):
        os.mkdir(os.path.join(folder, name))
    with open(os.path.join(folder, "sources", "one.list"), "w") as stream:
        # trusted, because the archive is compared with SHA256 below
        stream.write("deb-src [trusted=yes] %s %s main\n" % (_mirror(), DEBIAN["suite"]))
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": os.path.join(folder, "sources"),
        "Dir::State::lists": os.path.join(folder, "lists"),
        "Dir::Cache": os.path.join(folder, "cache"),
    }
    apt = ["apt-get", "-qq"] + ["-o%s=%s" % option for option in options.items()]
    package = ["source", "--download-only", "--tar-only", "pytorch/" + DEBIAN["suite"]]
    for command in (["update"], package):
        subprocess.run(apt + command, cwd=folder, check=True, stderr=subprocess.PIPE)
    archive = os.path.join(folder, "pytorch_%s.orig.tar.xz" % DEBIAN["version"])
    with open(archive, "rb") as stream:
        assert hashlib.sha256(stream.read()).hexdigest() == SHA256
    return _extracted(archive, "test/test_nn.py", folder)


def baidu_tests(folder):
    """The path of the tests of torch-baidu-ctc, a binding of warp-ctc, from its sdist by pip."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "download"] + options + ["--dest", folder, BAIDU]
    subprocess.run(command, check=True)
    (archive,) = glob.glob(os.path.join(folder, "torch*baidu*ctc*.tar.gz"))
    return _extracted(archive, "torch_baidu_ctc/test.py", folder)


def _mirror():
    """The address of Debian's archive that apt uses here."""
    asked = "$(REPO_URI) $(CODENAME) $(COMPONENT)"
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", asked], stdout=subprocess.PIPE, check=True
    )
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    return [uri for uri, suite, part in lines if "debian" in uri and "-" not in suite][0]


def _extracted(archive, name, folder):
    """The path of one file of an archive, whose first folder is the project's."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.name.split("/", 1)[1:] == [name]:
                tar.extract(member, folder)
                return os.path.join(folder, member.name)
    raise FileNotFoundError(name)
