#!/bin/bash
# Runs one machine for as long as the lab wants it: nspawn ends with 133 when the machine reboots, and is then started again.
#
#   keeper.sh DIR/ COMMAND...     COMMAND is the whole nspawn command line
#
# DIR gets `keeper.pid` (its own), `nspawn.pid`, `console.log` and, when the machine has ended by itself, `ended` with nspawn's status.
set -uo pipefail

dir=${1%/}
shift
reboot_status=133

# nspawn wants a terminal, which script gives it.
on_a_terminal() {
    local command
    printf -v command '%q ' "$@"
    script --quiet --return --append --command "echo \$\$ >'$dir/nspawn.pid'; exec $command" "$dir/console.log" \
        </dev/null >/dev/null 2>&1
}

echo $$ >"$dir/keeper.pid"
rm -f "$dir/ended"
while true; do
    on_a_terminal "$@"
    status=$?
    [ "$status" -eq "$reboot_status" ] || break
done
echo "$status" >"$dir/ended"
