#!/bin/sh
# Installs what the tests of alerts and metrics talk to into a virtual environment: setup.sh [FOLDER], by default .venv beside
# this script. A mail server (aiosmtpd), certificates (trustme), and two independent readers of what is sent: of signatures
# (standardwebhooks) and of metrics (prometheus-client). Needs Python 3.10 or newer. Does nothing if all is there already.
set -eu

wanted="aiosmtpd==1.4.6 prometheus-client==0.26.0 standardwebhooks==1.1.0 trustme==1.2.1"
here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-${OUTLETS_VENV:-$here/.venv}}

if [ "$(cat "$venv/installed" 2>/dev/null)" = "$wanted" ]; then
    echo "what the tests of alerts and metrics need is in $venv"
    exit 0
fi

for python in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
        "$python" -m venv "$venv"
        # shellcheck disable=SC2086  # several words on purpose
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $wanted
        printf '%s\n' "$wanted" >"$venv/installed"
        echo "what the tests of alerts and metrics need is in $venv"
        exit 0
    fi
done
echo "the tests of alerts and metrics need Python 3.10 or newer with its venv module; say which with PYTHON=/path/to/python3" >&2
exit 1
