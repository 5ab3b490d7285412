#!/bin/sh
# Makes the virtual environment $1 with $PYTHON, unless it works already.
# Debian ships Python without ensurepip: as root we install what is missing, otherwise we say what to do.
set -eu
venv=$1

if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi
if [ -z "${PYTHON:-}" ]; then
    echo "make: no Python 3.11 or newer on the PATH: install one, or name it with 'make PYTHON=/path/to/python3'" >&2
    exit 1
fi
if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "make: $PYTHON cannot make virtual environments: install its venv module (Debian: apt install $package)" >&2
        exit 1
    fi
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$package" >/dev/null
fi
"$PYTHON" -m venv --clear "$venv"
