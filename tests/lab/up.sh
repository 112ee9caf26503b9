# shellcheck shell=bash
# `lab up`: from a checkout to a city that runs. Every step looks first and does only what is missing, so a second `up` is
# quick, and one with other options changes just those.

up_city= up_input=traffic up_speed=1 up_mode=standard up_build=yes up_local=no
up_set=() # section.key=value

city_timeout_sec=60

up_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --city | --input | --speed | --mode | --set)
            [ $# -ge 2 ] || usage_error "$1 wants a value; see: lab help"
            local option=$1
            shift
            ;;
        esac
        case ${option:-$1} in
        --city) up_city=$1 ;;
        --input) up_input=$1 ;;
        --speed) up_speed=$1 ;;
        --mode) up_mode=$1 ;;
        --set)
            [[ $1 =~ ^[a-z]+\.[a-z0-9_]+=.+$ ]] || usage_error "--set $1: expected SECTION.KEY=VALUE"
            up_set+=("$1")
            ;;
        --no-build) up_build=no ;;
        --local) up_local=yes ;;
        *) usage_error "'$1' is not an option of up; see: lab help" ;;
        esac
        option=
        shift
    done
    [ -z "$up_city" ] || [ -r "$up_city" ] || usage_error "--city $up_city: there is no such file"
    case $up_input in
    traffic | random | relay | sumo | sumo:*) ;;
    *) [ -r "$up_input" ] || usage_error "--input $up_input: expected traffic, random, relay, sumo, sumo:SCENARIO or a readable recording" ;;
    esac
    [ "$up_speed" != max ] || up_speed=0
    [[ $up_speed =~ ^[0-9]+(\.[0-9]+)?$ ]] || usage_error "--speed $up_speed: expected a number (1 is real time) or max"
    case $up_mode in
    standard | threaded) ;;
    *) usage_error "--mode $up_mode: expected standard or threaded" ;;
    esac
}

# The lab's own settings; up_settings CITY RECORDING, the two files as the machines see them.
up_settings() {
    local city=$1 recording=$2
    echo "# Written by: lab up"
    if [ "$up_local" = no ]; then
        printf '[network]\npc1 = pc1\npc2 = pc2\npc3 = pc3\n'
    fi
    if [ "$up_local" = no ]; then
        backend_settings
    fi
    if [ -n "$city" ]; then
        printf '[city]\nfile = %s\n' "$city"
    fi
    printf '[sensor]\nspeed = %s\n' "$up_speed"
    case $up_input in
    random | relay) printf 'source = %s\n' "$up_input" ;;
    *)
        printf 'source = replay\n'
        # As fast as the links take it, again and again, would only fill the disk.
        [ "$up_speed" != 0 ] || printf 'loop = no\n'
        ;;
    esac
    if [ -n "$recording" ]; then
        printf 'recording = %s\n' "$recording"
    fi
    printf '[broker]\nmode = %s\n' "$up_mode"
    local setting name
    for setting in "${up_set[@]}"; do
        name=${setting%%=*}
        printf '[%s]\n%s = %s\n' "${name%%.*}" "${name#*.}" "${setting#*=}"
    done
}

# Gives a machine its settings; succeeds when they differ from those it had.
up_configure() {
    local name=$1 city= recording= new old=$lab_dir/$1/settings
    new=$(mktemp)
    if [ -n "$up_city" ]; then
        city=/etc/traffic/city.json
        machine_put "$up_city" "$name" "$city"
    fi
    case $up_input in
    traffic | random | relay) ;;
    *)
        recording=/etc/traffic/recordings/${up_input##*/}
        machine_put "$up_input" "$name" "$recording"
        ;;
    esac
    up_settings "$city" "$recording" >"$new"
    machine_put "$new" "$name" /etc/traffic/traffic.conf.d/50-lab.conf
    # The files' contents matter as much as their names.
    sha256sum "$new" ${up_city:+"$up_city"} ${recording:+"$up_input"} | cut -d ' ' -f 1 >"$new.sum"
    if cmp -s "$new.sum" "$old"; then
        rm -f "$new" "$new.sum"
        return 1
    fi
    mv "$new.sum" "$old"
    rm -f "$new"
}

# Installs the role's packages when they differ from what the machine has.
up_install() {
    local name=$1 deb inside=/var/cache/lab-packages stamp=$lab_dir/$1/packages files=()
    mapfile -t debs < <(packages_of "$name")
    if [ "$(cat "$stamp" 2>/dev/null)" = "$(sha256sum "${debs[@]}")" ]; then
        return
    fi
    for deb in "${debs[@]}"; do
        machine_put "$deb" "$name" "$inside/${deb##*/}"
        files+=("$inside/${deb##*/}")
    done
    # A new build of the same version counts, too, and so does an older one.
    machine_exec "$name" DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --reinstall --allow-downgrades --no-install-recommends \
        --option Dpkg::Options::=--force-confold "${files[@]}" </dev/null >"$lab_dir/$name/apt.log" 2>&1 || {
        tail -n 30 "$lab_dir/$name/apt.log" >&2
        die "apt could not install the packages in $name; its last lines are above"
    }
    sha256sum "${debs[@]}" >"$stamp"
}

# Asks a daemon of the machine before anything is started with new settings: a service that refuses them would stay down,
# and nothing but a city that does not answer would tell.
declare -A up_daemon=([pc1]="traffic-broker" [pc2]="traffic-analytics" [pc3]="traffic-store primary")
up_check() {
    local name=$1 said
    # shellcheck disable=SC2086 # a name and perhaps an instance
    said=$(machine_exec "$name" ${up_daemon[$name]} --check </dev/null 2>&1) || die "$name: $said"
}

# One machine, from nothing or from whatever it was.
up_machine() {
    local name=$1 verb=start
    machine_boot "$name"
    mkdir -p "$lab_dir/$name"
    if up_configure "$name" && machine_exec "$name" systemctl --quiet is-active "traffic-$name.target" </dev/null; then
        verb=restart
    fi
    up_install "$name"
    up_check "$name"
    machine_exec "$name" systemctl "$verb" "traffic-$name.target" </dev/null
}

up_machines() {
    local name failed=() jobs=()
    for name in "${machines[@]}"; do
        up_machine "$name" &
        jobs+=("$name:$!")
    done
    for name in "${jobs[@]}"; do
        wait "${name#*:}" || failed+=("${name%:*}")
    done
    [ ${#failed[@]} -eq 0 ] || die "not up: ${failed[*]}"
}

# Events stored and light changes recorded so far, e.g. "1043 87"; "0 0" while nobody answers.
city_counts() {
    local counts
    counts=$(city_status | jq -r '.db_summary | "\(.total_sensor_events) \(.total_semaphore_changes)"') || true
    echo "${counts:-0 0}"
}

# The city works when, since it had EVENTS and CHANGES, more events came and more lights changed; RATE is what analytics must
# count per second at least.
city_works() {
    city_status | jq -e --argjson events "$1" --argjson changes "$2" --argjson rate "$3" '
        .db_summary.total_sensor_events > $events and .db_summary.total_semaphore_changes > $changes
        and ([.events_per_second[]] | add) >= $rate' >/dev/null 2>&1
}

up_wait_for_city() {
    local events changes rate=0.5
    read -r events changes < <(city_counts)
    # A recording that is played once, as fast as it goes, may be over by now.
    [ "$up_speed" != 0 ] || events=0 rate=0
    # Who says how many sensors there are, or how seldom they speak, may want few readings.
    [[ " ${up_set[*]}" != *" sensor."* ]] || rate=0.01
    if [ "$up_input" = relay ] && [ -z "$sumo_input_scenario" ]; then
        step "Waiting for lights to change; readings come from whoever hands them in"
        events=-1 rate=0
    else
        step "Waiting for events to arrive and lights to change"
    fi
    wait_for "$city_timeout_sec" city_works "$events" "$changes" "$rate" || {
        status_print >&2 || true
        die "after $city_timeout_sec s no events arrive or no light changes; look with: lab exec MACHINE journalctl -u 'traffic-*'"
    }
}

up_next_commands() {
    local lab=./lab
    [ "$LAB_ON" = nspawn ] || lab="./lab --on $LAB_ON"
    [ "$LAB" = city ] || lab="LAB=$LAB $lab"
    cat <<END

Try:
  $lab watch
  $lab exec pc3 trafficctl status --watch
  $lab exec pc3 trafficctl wave row B --reason ambulance
END
    if [ "$up_local" = yes ]; then
        echo "  tail -f ${local_dir#"$lab_top/"}/traffic-signal.log"
    else
        cat <<END
  $lab exec pc2 journalctl -u traffic-signal -f
  $lab exec pc3 systemctl stop traffic-store@primary     # and start it again
  $lab cut pc2 pc3                                       # and: $lab heal
  $lab shell pc1
END
    fi
    echo "  $lab down"
}

# The recording names sensors and intersections: of another city it may know none.
up_note_recording() {
    [ -n "$up_city" ] && [ "$up_input" = traffic ] && ! cmp -s "$up_city" "$lab_top/config/city.json" || return 0
    say "Note: the recording is of config/city.json; what this city does not have is refused and counted. Or: --input random"
}

verb_up() {
    up_options "$@"
    up_note_recording
    mkdir -p "$lab_work"
    case $up_input in
    sumo | sumo:*) sumo_input_prepare ;;
    *) sumo_input_end ;;
    esac
    if [ "$up_local" = yes ]; then
        local_up
        [ -z "$sumo_input_scenario" ] || sumo_input_start 127.0.0.1 "$local_dir/run"
    else
        need_root up "$@"
        ! local_is_up || die "the local city is running; end it first: lab down"
        host_needs "the lab" jq procps "${backend_needs[@]}"
        local why
        why=$(backend_check)
        [ -z "$why" ] || die "three machines cannot run here: $why. Plain processes can: lab up --local"
        [ "$up_build" = no ] || packages_build
        packages_exist || die "there are no packages yet; leave --no-build out"
        backend_prepare
        step "Booting ${machines[*]} and installing their packages"
        up_machines
        [ -z "$sumo_input_scenario" ] || sumo_input_start "${machine_address[pc2]}" machine:pc1
    fi
    up_wait_for_city
    status_print
    up_next_commands
}
