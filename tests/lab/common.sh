# shellcheck shell=bash
# What every part of the lab shares: its name and places, how it speaks, how it waits, how it becomes root, which host
# packages it needs. Knows nothing of machines.
#
# LAB names a lab; each name has machines, networks and directories of its own, so the tests' lab ("test") never meets the
# one that somebody works with ("city").

LAB=${LAB:-city}
lab_cache=/var/cache/olaverde-lab      # base images, shared by all labs
lab_work=$lab_top/.lab                 # what is built from this checkout: packages, --local processes
lab_packages=$lab_work/packages

# The machines in the order in which they are named everywhere; their addresses are the backend's.
machines=(pc1 pc2 pc3)
declare -A machine_address

say() {
    printf '%s\n' "$*" >&2
}

step() {
    say "==> $*"
}

die() {
    say "lab: $*"
    exit 1
}

usage_error() {
    say "lab: $*"
    exit 2
}

check_lab_name() {
    [[ $LAB =~ ^[a-z][a-z0-9]{0,5}$ ]] || usage_error "LAB=$LAB: a lab's name is a letter and at most five letters or digits"
}

is_machine() {
    [[ -n ${1:-} && " ${machines[*]} " = *" $1 "* ]]
}

check_machine() {
    is_machine "${1:-}" || usage_error "'${1:-}' is not a machine: expected one of ${machines[*]}"
}

# Runs the same command as root when there is a way.
need_root() {
    [ "$EUID" -ne 0 ] && backend_wants_root || return 0
    if command -v sudo >/dev/null; then
        exec sudo LAB="$LAB" LAB_ON="$LAB_ON" ${LAB_MIRROR:+"LAB_MIRROR=$LAB_MIRROR"} "$lab_top/lab" "$@"
    fi
    die "'lab $1' needs root: run it as root, or install sudo. What needs neither: lab up --local"
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails when the deadline has passed, which is LAB_PATIENCE times as far away: of a processor
# that is emulated everything takes longer.
wait_for() {
    local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000 * ${LAB_PATIENCE:-1}))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# pid_of FILE: the process id in FILE, when that process still is one of this lab's: its command line names the directory
# that holds FILE. A number alone may belong to somebody else by now.
pid_of() {
    local pid
    read -r pid 2>/dev/null <"$1" || return 1
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "${1%/*}/" || return 1
    echo "$pid"
}

# host_needs WHAT PACKAGE...: installs those packages that this host lacks.
host_needs() {
    local purpose=$1 package missing=()
    shift
    for package in "$@"; do
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            missing+=("$package")
        fi
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$EUID" -eq 0 ] || die "$purpose needs packages that are not installed; run as root, or: apt install ${missing[*]}"
    step "Installing what $purpose needs: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    local log
    log=$(mktemp)
    if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        die "apt could not install them; its last lines are above"
    fi
    rm -f "$log"
}
