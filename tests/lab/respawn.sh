#!/bin/bash
# Runs one process of the local city and starts it again when it ends, as systemd would; configuration errors (78) and the end
# of the lab (SIGTERM) are final.
#
#   respawn.sh DIR/ NAME COMMAND...      writes DIR/NAME.keeper (own process id) and DIR/NAME.log
set -uo pipefail

dir=${1%/}
name=$2
shift 2

child=
trap 'kill -TERM $child 2>/dev/null; wait; exit 0' TERM
echo $$ >"$dir/$name.keeper"
while true; do
    "$@" >>"$dir/$name.log" 2>&1 &
    child=$!
    wait $child
    status=$?
    [ $status -ne 78 ] || break
    echo "-- started again after status $status" >>"$dir/$name.log"
    sleep 0.1
done
