"""What the examples without Keras share: options, results, Ctrl-C, a picture at the end."""

import argparse
import json
import os
import sys
from typing import Any, Callable, Dict, Iterable, List, Optional

HERE = os.path.dirname(os.path.abspath(__file__))


def main(
    name: str,
    compute: Callable[[Dict[str, Any], bool], None],
    draw: Callable[[Dict[str, Any], str], List[str]],
    arguments: Optional[List[str]] = None,
) -> int:
    """Run one example.

    Parameters
    ----------
    name : str
        The picture becomes `name`.png, the numbers `name`.json.
    compute : callable (results, short)
        Fills the dict `results` step by step; Ctrl-C keeps what is there. Keys that begin with "_"
        are not saved.
    draw : callable (results, path)
        Draws what `results` holds, and returns the lines to print.

    Returns
    -------
    int : exit status, 130 after Ctrl-C
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument(
        "--short", action="store_true", help="a small version, for a look or a test"
    )
    out_help = "folder for the numbers and the picture"
    parser.add_argument("--out", default=os.path.join(HERE, "out"), help=out_help)
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
        saved = {key: value for key, value in results.items() if not key.startswith("_")}
        json.dump(saved, stream, indent=1, sort_keys=True)
    os.replace(path + ".json.part", path + ".json")
    print("\n".join(draw(results, path + ".png")))
    return 130 if results["interrupted"] else 0


def progress(items: Iterable[Any], name: str) -> Iterable[Any]:
    """`items` with a progress bar, which takes few lines in a log file."""
    from tqdm import tqdm

    pause = 0.1 if sys.stderr.isatty() else 30
    bar: Iterable[Any] = tqdm(items, desc=name, mininterval=pause, maxinterval=pause)
    return bar
