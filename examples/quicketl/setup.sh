#!/bin/sh
# Installs QuickETL into a virtual environment of its own: setup.sh [FOLDER], by default .venv beside this script.
# Needs Python 3.12 or newer with its venv module. Does nothing if the right version is there already.
set -eu

version=1.6.0
here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-${QUICKETL_VENV:-$here/.venv}}

if [ -x "$venv/bin/python" ] &&
    [ "$("$venv/bin/python" -c 'from importlib.metadata import version as v; print(v("quicketl"))' 2>/dev/null)" = "$version" ]; then
    echo "QuickETL $version is in $venv"
    exit 0
fi

is_new_enough() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

for python in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3; do
    if is_new_enough "$python"; then
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "quicketl==$version"
        echo "QuickETL $version is in $venv"
        exit 0
    fi
done
echo "QuickETL needs Python 3.12 or newer with its venv module; say which with PYTHON=/path/to/python3" >&2
exit 1
