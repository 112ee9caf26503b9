# shellcheck shell=bash
# The verbs about traffic in a simulator: `lab drive` measures policies on it, `lab watch` shows it. What they do is Python's, in
# drive/; here they get what they need of this host, and the services built.

drive_needs=(sumo sumo-tools python3 python3-zmq python3-matplotlib iproute2)

# Runs a module of tests/lab/drive with the services of .lab/build.
drive_python() {
    TRAFFIC_BUILD=$local_build LAB=$LAB PYTHONPATH=$lab_parts /usr/bin/python3 -B -m "$@"
}

verb_drive() {
    case " $* " in
    *" --help "* | *" -h "*) drive_python drive --help ;;
    *)
        host_needs "lab drive" "${drive_needs[@]}"
        mkdir -p "$lab_work"
        [[ " $* " = *" --no-build "* ]] || local_binaries
        drive_python drive "$@"
        ;;
    esac
}

verb_watch() {
    host_needs "lab watch" "${drive_needs[@]}"
    mkdir -p "$lab_work"
    case " $* " in
    *" --scenario"* | *" --net"*) local_binaries ;;
    *)
        watch_lab "$@"
        return
        ;;
    esac
    drive_python drive.watch "$@"
}

# What runs already: a lab is watched from inside its network, which plain processes of root have as well.
watch_lab() {
    local city=$lab_work/watched-city.json address=127.0.0.1 enter=()
    if machine_exists pc2; then
        need_root watch "$@"
        address=${machine_address[pc2]}
        machine_exec pc2 sh -c 'cat /etc/traffic/city.json 2>/dev/null || cat /usr/lib/traffic/city.json' </dev/null >"$city"
    elif local_is_up; then
        sed -n 's/^file = //p' "$local_dir/traffic.conf" | head -n 1 | xargs cat >"$city"
    else
        drive_python drive.watch "$@"
        return
    fi
    [ "$EUID" -ne 0 ] || enter=(in_network)
    "${enter[@]}" env PYTHONPATH="$lab_parts" /usr/bin/python3 -B -m drive.watch --lab "$city" "$address" "$@"
}

# --- SUMO as the traffic of a lab: lab up --input sumo[:SCENARIO] ---

sumo_input_dir=$lab_work/sumo-$LAB
sumo_input_scenario= # "" without one

# From now on the lab's readings are handed in, in a city that is the network's: nothing else would understand its sensors.
sumo_input_prepare() {
    [ -z "$up_city" ] || usage_error "--input sumo brings its own city; leave --city out"
    sumo_input_scenario=city_peak
    [ "$up_input" = sumo ] || sumo_input_scenario=${up_input#sumo:}
    host_needs "lab up --input sumo" "${drive_needs[@]}"
    [ "$(cat "$sumo_input_dir/scenario" 2>/dev/null)" = "$sumo_input_scenario" ] || sumo_input_end
    mkdir -p "$sumo_input_dir"
    drive_python drive.network "$sumo_input_scenario" >"$sumo_input_dir/city.json" || exit 2
    echo "$sumo_input_scenario" >"$sumo_input_dir/scenario"
    up_city=$sumo_input_dir/city.json
    up_input=relay
    up_set+=("control.policy=planner")
}

# sumo_input_start ADDRESS WHERE: WHERE is the directory of the relay sockets, or machine:NAME. One that runs is left alone.
sumo_input_start() {
    local enter=()
    ! pid_of "$sumo_input_dir/sumo.keeper" >/dev/null || return 0
    step "SUMO drives $sumo_input_scenario in real time (log: ${sumo_input_dir#"$lab_top/"}/sumo.log)"
    [ "$EUID" -ne 0 ] || enter=(in_network)
    "${enter[@]}" env LAB="$LAB" PYTHONPATH="$lab_parts" setsid --fork "$lab_parts/respawn.sh" "$sumo_input_dir/" sumo \
        /usr/bin/python3 -B -m drive.demonstrate "$sumo_input_scenario" "$@" </dev/null >/dev/null 2>&1
}

sumo_input_end() {
    local pid
    if pid=$(pid_of "$sumo_input_dir/sumo.keeper"); then
        kill -TERM "$pid"
        wait_for 10 process_is_gone "$pid" || kill -KILL -- "-$pid"
    fi
    rm -rf "$sumo_input_dir"
}
