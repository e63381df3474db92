"""Opens every page of the built manual in headless Chromium, at two widths, light and dark.

    python tools/check_pages.py .tox/py312-docs/html [--pictures FOLDER]

Fails where a page is wider than the window, where anything is fetched from elsewhere, where the
browser reports an error, where a formula is not drawn, or where the search does not find a page.
Needs playwright (from PyPI) and a Chromium: that of the system, or the one that CHROMIUM names.
"""

import argparse
import functools
import glob
import http.server
import os
import shutil
import sys
import threading
from typing import Any, Iterator, List

WIDTHS = (1300, 400)
SEARCHES = {"inf": "faq.html", "patch_torch": "pytorch.html", "plateau": "faq.html"}
TOO_WIDE = """() => document.documentElement.scrollWidth - window.innerWidth"""
# Elements that reach beyond the window although nothing around them scrolls.
CULPRITS = """() => [...document.querySelectorAll('article *')].filter(element => {
    if (element.getBoundingClientRect().right <= window.innerWidth + 1) return false;
    for (let around = element; around; around = around.parentElement)
        if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(around).overflowX)) return false;
    return true;
}).slice(0, 3).map(element => element.outerHTML.slice(0, 120))"""
FLAT = """() => [...document.querySelectorAll('math')].filter(
    element => element.getBoundingClientRect().height < 5).length"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("html", help="folder of the built pages")
    parser.add_argument("--pictures", help="folder for a picture of each page")
    options = parser.parse_args()
    problems, pages = [], 0
    for problem in look(options.html, options.pictures):
        if problem is None:
            pages += 1
        else:
            problems.append(problem)
            print(problem)
    print("%d views of pages, %d problems" % (pages, len(problems)))
    return 1 if problems or not pages else 0


def look(html: str, pictures: Any) -> Iterator[Any]:
    """None for each view of a page, and a line for each problem."""
    from playwright.sync_api import sync_playwright

    names = sorted(os.path.basename(path) for path in glob.glob(os.path.join(html, "*.html")))
    with served(html) as address, sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for width in WIDTHS:
            for scheme in ("light", "dark"):
                page = browser.new_page(
                    viewport={"width": width, "height": 900}, color_scheme=scheme
                )
                found = listen(page, address)
                for name in names:
                    place = "%s at %d px, %s: " % (name, width, scheme)
                    page.goto(address + name, wait_until="load")
                    yield from (place + problem for problem in seen(page) + found)
                    found.clear()
                    if pictures:
                        file = "%s-%d-%s.png" % (name[:-5], width, scheme)
                        page.screenshot(path=os.path.join(pictures, file), full_page=width > 500)
                    yield None
                if scheme == "light":
                    yield from searched(page, address, width)
                page.close()
        browser.close()


def listen(page: Any, address: str) -> List[str]:
    """A list that gets what the browser complains of, and what is fetched from elsewhere."""
    found: List[str] = []
    page.on("console", lambda said: said.type == "error" and found.append("says " + said.text))
    page.on("pageerror", lambda error: found.append("fails with %s" % error))
    page.on("requestfailed", lambda request: found.append("cannot get " + request.url))
    page.on(
        "request",
        lambda request: (
            request.url.startswith((address, "data:", "blob:"))
            or found.append("asks for " + request.url)
        ),
    )
    return found


def seen(page: Any) -> List[str]:
    """What is wrong with the page that is open."""
    problems = []
    too_wide = page.evaluate(TOO_WIDE)
    if too_wide > 0:
        problems.append("is %d px too wide" % too_wide)
    problems += ["sticks out: " + element for element in page.evaluate(CULPRITS)]
    flat = page.evaluate(FLAT)
    if flat:
        problems.append("does not draw %d formulas" % flat)
    return problems


def searched(page: Any, address: str, width: int) -> Iterator[str]:
    """A line for each search that does not find its page."""
    for words, wanted in SEARCHES.items():
        page.goto(address + "search.html?q=" + words)
        try:
            page.wait_for_selector("#search-results a[href*='%s']" % wanted, timeout=20000)
        except Exception:
            yield "the search for %s at %d px does not find %s" % (words, width, wanted)


class served:
    """The folder on a free port of this machine, in a `with` block; gives its address."""

    def __init__(self, folder: str) -> None:
        handler = functools.partial(Quiet, directory=folder)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return "http://127.0.0.1:%d/" % self.server.server_address[1]

    def __exit__(self, *error: Any) -> None:
        self.server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        pass


if __name__ == "__main__":
    sys.exit(main())
