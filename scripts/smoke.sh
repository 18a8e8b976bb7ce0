#!/bin/sh
# The smoke part of the tests as other machines would run it.
#   sh scripts/smoke.sh [PYTHON]
# First with processes that are spawned, in a Turkish locale and without a network, then on one core.
# What a system does not have (localedef, unshare, taskset: Linux has them) is left out, and said.
set -eu
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
locales=$(mktemp -d)
trap 'rm -rf "$locales"' EXIT

network="unshare --map-root-user --net"
$network true 2>/dev/null || { echo "smoke: with a network (no unshare)" && network=; }
core="taskset --cpu-list 0"
$core true 2>/dev/null || { echo "smoke: on every core (no taskset)" && core=; }
if localedef -i tr_TR -f UTF-8 "$locales/tr_TR.UTF-8" 2>/dev/null; then
    turkish="LOCPATH=$locales LC_ALL=tr_TR.UTF-8"
else
    echo "smoke: in this locale (no localedef)"
    turkish=
fi
env $turkish $network "$python" -m pytest -q -m smoke --start-method spawn
$core "$python" -m pytest -q -m smoke
