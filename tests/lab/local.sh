# shellcheck shell=bash
# The city without machines: the same binaries as plain processes that bind their links themselves, on loopback. As root they
# get a network namespace of their own; otherwise they use the host's loopback, and its ports must be free.
#
# A keeper per process starts it again as systemd would. Links cannot be cut here and there is no journal: each process
# writes a log of its own.

local_dir=$lab_work/local-$LAB
local_build=${LAB_BUILD:-$lab_work/build}
local_processes=(
    "traffic-store primary" "traffic-store replica" "traffic-signal" "traffic-analytics"
    "traffic-broker" "traffic-sensor camera" "traffic-sensor inductive" "traffic-sensor gps"
)

# "traffic-store primary" is named as its unit is: traffic-store@primary.
local_name() {
    echo "${1/ /@}"
}

local_is_up() {
    [ -d "$local_dir" ] && pid_of "$local_dir/traffic-analytics.keeper" >/dev/null
}

# Runs a command where the processes are: their network, their binaries, their settings.
local_exec() {
    local path
    path=$local_dir/bin:$(find "$local_build/services" -mindepth 1 -maxdepth 1 -type d -printf '%p:')$PATH
    if [ "$EUID" -eq 0 ]; then
        in_network env PATH="$path" "$@"
    else
        env PATH="$path" "$@"
    fi
}

# trafficctl reads /etc/traffic by itself; here it shall read what the processes read.
local_trafficctl() {
    mkdir -p "$local_dir/bin"
    printf '#!/bin/sh\nexec "%s/services/trafficctl/trafficctl" --config "%s/traffic.conf" "$@"\n' "$local_build" "$local_dir" \
        >"$local_dir/bin/trafficctl"
    chmod +x "$local_dir/bin/trafficctl"
}

# One at a time: two lanes of tests may want them at once.
local_binaries() {
    mapfile -t needs < <(packages_build_needs)
    host_needs "building" build-essential "${needs[@]}"
    step "Building (${local_build#"$lab_top/"})"
    (
        flock 9
        [ -d "$local_build" ] || meson setup "$local_build" "$lab_top" >"$lab_work/build.log" 2>&1 ||
            die "meson setup failed; see .lab/build.log"
        meson compile -C "$local_build" >"$lab_work/build.log" 2>&1 || {
            tail -n 30 "$lab_work/build.log" >&2
            die "it does not build; the end of .lab/build.log is above"
        }
    ) 9>"$lab_work/build.lock" || exit
}

local_settings() {
    local city=${up_city:-$lab_top/config/city.json} recording
    case $up_input in
    traffic) recording=$lab_top/config/recordings/city4x4-peak.jsonl.gz ;;
    random | relay) recording= ;;
    *) recording=$(readlink -f "$up_input") ;;
    esac
    up_settings "$(readlink -f "$city")" "$recording"
}

local_start() {
    local process=$1 name
    name=$(local_name "$1")
    mkdir -p "$local_dir/state/$name"
    # shellcheck disable=SC2086 # a name and perhaps an instance
    local_exec setsid --fork "$lab_parts/respawn.sh" "$local_dir/" "$name" $process \
        --config "$local_dir/traffic.conf" --state-dir "$local_dir/state/$name" --runtime-dir "$local_dir/run" \
        </dev/null >/dev/null 2>&1
}

local_up() {
    [ "$EUID" -eq 0 ] && machine_exists pc1 && die "the three machines are running; end them first: lab down"
    host_needs "the lab" jq procps
    [ "$EUID" -ne 0 ] || { host_needs "the lab" iproute2 && network_up; }
    [ "$up_build" = no ] || local_binaries
    mkdir -p "$local_dir/run/metrics"
    local process
    if local_is_up && cmp -s <(local_settings) "$local_dir/traffic.conf"; then
        return
    fi
    local_end
    local_settings >"$local_dir/traffic.conf"
    local_trafficctl
    step "Starting ${#local_processes[@]} processes (logs: ${local_dir#"$lab_top/"}/*.log)"
    for process in "${local_processes[@]}"; do
        local_start "$process"
    done
    wait_for 5 local_is_up || die "the processes do not start; see ${local_dir#"$lab_top/"}/*.log"
}

# Ends every keeper and its process.
local_end() {
    local keeper pid
    for keeper in "$local_dir"/*.keeper; do
        if pid=$(pid_of "$keeper"); then
            kill -TERM "$pid"
            wait_for 10 process_is_gone "$pid" || kill -KILL -- "-$pid"
        fi
        rm -f "$keeper"
    done
}

process_is_gone() {
    ! [ -e "/proc/$1" ]
}

local_down() {
    step "Ending the local city"
    local_end
    rm -rf "$local_dir"
    if [ "$EUID" -eq 0 ]; then
        network_down
    fi
}

local_json() {
    local process name state
    for process in "${local_processes[@]}"; do
        name=$(local_name "$process")
        state=inactive
        ! pid_of "$local_dir/$name.keeper" >/dev/null || state=active
        jq -nc --arg unit "$name.service" --arg active "$state" \
            --argjson restarts "$(grep -c '^-- started again' "$local_dir/$name.log")" \
            '{$unit, $active, sub: "", doing: "", $restarts}'
    done | jq -sc '[{name: "local", address: "127.0.0.1", up: true, services: .}]'
}
