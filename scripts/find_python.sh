#!/bin/sh
# Print the path of a Python >= 3.12 that can make environments, or say what to install.
for name in "${PYTHON:-}" python3.13 python3.14 python3.12 python3 python; do
    [ -n "$name" ] || continue
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
        "$name" -c 'import sys; print(sys.executable)'
        exit 0
    fi
done
echo "mnbayes needs Python 3.12 or newer with its venv module: install for example python3.13 and python3.13-venv, or set PYTHON to one." >&2
exit 1
