"""What the examples without Keras share: options, numbers kept while they come in, Ctrl-C, a picture at the end."""

import argparse
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main(name, compute, draw, arguments=None):
    """Run one example.

    Parameters
    ----------
    name : str
        The picture becomes `name`.png, the numbers `name`.json.
    compute : callable (results, short)
        Fills the dict `results` as it goes; what is there counts when Ctrl-C comes.
    draw : callable (results, path)
        Makes the picture of whatever `results` holds, and returns the lines to print.

    Returns
    -------
    int : exit status, 130 after Ctrl-C
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument(
        "--short", action="store_true", help="a small version of it, for a look or a test"
    )
    parser.add_argument(
        "--out", default=os.path.join(HERE, "out"), help="folder for the numbers and the picture"
    )
    options = parser.parse_args(arguments)
    os.makedirs(options.out, exist_ok=True)
    results = {"interrupted": False, "short": options.short}
    try:
        compute(results, options.short)
    except KeyboardInterrupt:
        results["interrupted"] = True
        sys.stderr.write("\nstopped: what there is was kept\n")
    path = os.path.join(options.out, name)
    with open(path + ".json.part", "w") as stream:
        json.dump(
            {key: value for key, value in results.items() if not key.startswith("_")},
            stream,
            indent=1,
            sort_keys=True,
        )
    os.replace(path + ".json.part", path + ".json")
    print("\n".join(draw(results, path + ".png")))
    return 130 if results["interrupted"] else 0


def progress(items, name, total=None):
    """`items` with a progress bar, which in a log file takes few lines."""
    from tqdm import tqdm

    seldom = 0.1 if sys.stderr.isatty() else 30
    return tqdm(items, desc=name, total=total, mininterval=seldom, maxinterval=seldom)
