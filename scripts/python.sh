#!/bin/sh
# Print a Python that can carry Parlour: 3.11 or newer, with a way to make an environment.
# PYTHON=... chooses one. A name on the PATH can be a shim that does not run, so each is tried.
for name in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        if "$name" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
            "$name" -c 'import venv, pip' >/dev/null 2>&1; then
            echo "$name"
            exit 0
        fi
        bare=$name
    fi
done
if [ -n "$bare" ]; then
    echo "$bare has neither ensurepip nor pip: install python3-venv (Debian: apt-get install python3-venv)." >&2
else
    echo "Parlour needs Python 3.11 or newer: install it, or name it with PYTHON=/path/to/python." >&2
fi
exit 1
