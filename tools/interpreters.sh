#!/usr/bin/env bash
# Finds or builds the named Pythons and prints a folder with links to them, to be put on PATH:
#     bash tools/interpreters.sh 3.6 3.9
# Found where pyenv keeps them; those that are missing are built with pyenv, which is fetched first
# where it is not there either. Nightly jobs use it for Pythons that their machines no longer offer.
set -euo pipefail
root=${PYENV_ROOT:-$HOME/.pyenv}
links=${INTERPRETERS:-$HOME/.interpreters}
mkdir -p "$links"
for version in "$@"; do
    found="python$version"
    if ! "$found" -c "" 2>/dev/null; then # a shim of pyenv exists, but may find nothing
        [ -d "$root" ] || git clone --quiet --depth 1 https://github.com/pyenv/pyenv "$root"
        ls -d "$root/versions/$version".* >/dev/null 2>&1 || "$root/bin/pyenv" install "$version" >&2
        found=$(ls "$root/versions/$version".*/bin/"python$version" | head -1)
    fi
    ln -sf "$("$found" -c "import sys; print(sys.executable)")" "$links/python$version"
done
echo "$links"
