# shellcheck shell=bash
# Backend (backend.sh): three machines as systemd-nspawn containers with real systemd.
#
# A machine's root is an overlay on the shared base image. nspawn runs inside the lab's network namespace, but not through
# `ip netns exec`, which remounts /sys and hides the cgroups from it.

backend_needs=(systemd-container mmdebstrap iproute2 nftables util-linux bsdutils debian-archive-keyring)

boot_timeout_sec=60

lab_dir=/var/lib/olaverde-lab/$LAB # machines: overlays, process ids, consoles
machine_address=([pc1]=10.83.0.1 [pc2]=10.83.0.2 [pc3]=10.83.0.3)

# Mounts, namespaces and control groups are root's.
backend_wants_root() {
    true
}

# --- the network: one bridge in a network namespace of the lab's own. The host's addresses, routes and firewall are never touched, so nothing
# of the lab can meet anything outside it.

lab_netns=olaverde-$LAB
lab_netns_file=/run/netns/$lab_netns

network_is_up() {
    [ -e "$lab_netns_file" ] && ip -n "$lab_netns" link show br0 >/dev/null 2>&1
}

network_up() {
    network_is_up && return
    ip netns add "$lab_netns" 2>/dev/null || true
    ip -n "$lab_netns" link set lo up
    ip -n "$lab_netns" link add br0 type bridge
    # The observer's end: tests and forwarders speak to the machines from here.
    ip -n "$lab_netns" address add 10.83.0.254/24 dev br0
    ip -n "$lab_netns" link set br0 up
}

network_down() {
    [ ! -e "$lab_netns_file" ] || ip netns del "$lab_netns"
}

# Runs a command in the lab's network, everything else being the host's.
in_network() {
    nsenter --net="$lab_netns_file" -- "$@"
}

# --- the machines

backend_check() {
    local what
    what=$(ip netns add "$lab_netns-try" 2>&1) || {
        echo "this host does not allow network namespaces (${what##*: })"
        return
    }
    ip netns del "$lab_netns-try"
    [ -n "$(cgroup_mounts)" ] || { # not a pipe to grep -q, which ends at the first and so kills who names the second
        echo "this host has no writable cgroup hierarchy in /sys/fs/cgroup"
        return
    }
    local try
    try=$(mktemp -d)
    mkdir "$try/a" "$try/b"
    what=$(mount --bind "$try/a" "$try/b" 2>&1) || {
        rm -r "$try"
        echo "this host does not allow mounts (${what##*: })"
        return
    }
    umount "$try/b"
    rm -r "$try"
}

backend_prepare() {
    image_ensure
    network_up
}

backend_settings() {
    true
}

# The hierarchies in which a machine's systemd keeps its units.
cgroup_mounts() {
    local mount
    for mount in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
        if [ -w "$mount/cgroup.procs" ]; then
            echo "$mount"
        fi
    done
}

# Runs a command in cgroups of the machine's own. Machines that share one would find each other's services in it.
in_machine_cgroup() {
    local name=$1 mount
    shift
    if [ -d /run/systemd/system ]; then
        exec systemd-run --quiet --scope --collect --unit="$lab_netns-$name" --property=Delegate=yes -- "$@"
    fi
    for mount in $(cgroup_mounts); do
        mkdir -p "$mount/$lab_netns-$name"
        echo "$BASHPID" >"$mount/$lab_netns-$name/cgroup.procs"
    done
    exec "$@"
}

# The machine's first process, as this host numbers it: nspawn's child that is number 1 to itself. (While it sets things up,
# nspawn has another child, which still lives in the host's namespaces.)
machine_leader() {
    local nspawn pid
    nspawn=$(pid_of "$lab_dir/$1/nspawn.pid") || return 1
    for pid in $(pgrep --parent "$nspawn"); do
        if awk '/^NSpid:/ { is_first = NF > 2 && $NF == 1 } END { exit !is_first }' "/proc/$pid/status" 2>/dev/null; then
            echo "$pid"
            return
        fi
    done
    return 1
}

machine_runs() {
    machine_leader "$1" >/dev/null
}

machine_exists() {
    [ -d "$lab_dir/$1" ]
}

# A shell with a terminal that belongs to the machine.
machine_shell() {
    machine_exec "$1" script --quiet --command "bash -l" /dev/null
}

# A fresh root on the base image, with the machine's own name, addresses and identity.
machine_create() {
    local name=$1 dir=$lab_dir/$1 other
    mkdir -p "$dir"/{upper,work,root}
    mount -t overlay overlay -o "lowerdir=$(image_dir),upperdir=$dir/upper,workdir=$dir/work" "$dir/root" ||
        die "cannot mount an overlay on $dir; is it itself on an overlay? Set lab_dir to another file system"
    local etc=$dir/root/etc
    echo "$name" >"$etc/hostname"
    tr -d - </proc/sys/kernel/random/uuid >"$etc/machine-id"
    {
        echo "127.0.0.1 localhost"
        for other in "${machines[@]}"; do
            echo "${machine_address[$other]} $other"
        done
    } >"$etc/hosts"
    # Sorts before 80-container-host0.network, which would ask for an address.
    printf '[Match]\nName=host0\n\n[Network]\nAddress=%s/24\n' "${machine_address[$name]}" \
        >"$etc/systemd/network/10-host0.network"
}

machine_boot() {
    local name=$1 dir=$lab_dir/$1
    machine_is_up "$name" && return
    mountpoint -q "$dir/root" || {
        rm -rf "$dir"
        machine_create "$name"
    }
    (
        in_machine_cgroup "$name" setsid --fork nsenter --net="$lab_netns_file" -- \
            "$lab_parts/keeper.sh" "$dir/" \
            systemd-nspawn --quiet --boot --register=no --keep-unit --settings=no --link-journal=no \
            --machine="$LAB-$name" --hostname="$name" --directory="$dir/root" \
            --network-bridge=br0 --resolv-conf=off --timezone=off
    ) </dev/null >/dev/null 2>&1
    wait_for "$boot_timeout_sec" machine_is_up "$name" || {
        tail -n 20 "$dir/console.log" >&2
        die "$name did not boot within $boot_timeout_sec s; the end of its console is above"
    }
}

# The command's parent stays outside the machine's processes: a machine that ends stops them all before it kills them, and nsenter,
# when it forks by itself, stops with its child and never collects it, so that neither would ever end.
machine_exec() {
    local leader
    leader=$(machine_leader "$1") || die "$1 is not running; start it with: lab up"
    shift
    # shellcheck disable=SC2016 # for the shell inside
    nsenter --no-fork --target "$leader" --mount --uts --ipc --net --pid --root --wd -- /usr/bin/env -i \
        HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        TERM="${TERM:-dumb}" USER=root /bin/sh -c 'env "$@"; exit $?' sh "$@"
}

machine_put() {
    install -D -m 644 "$1" "$lab_dir/$2/root$3"
}

# The machine's first process, with which all others die; nspawn's own death would leave them running without a keeper. Only
# while there is no first process yet, nspawn itself.
machine_kill() {
    local pid
    if pid=$(machine_leader "$1") || pid=$(pid_of "$lab_dir/$1/nspawn.pid"); then
        kill -KILL "$pid"
    fi
}

machine_remove() {
    local name=$1 dir=$lab_dir/$1 mount
    machine_leader "$name" >/dev/null && machine_exec "$name" systemctl poweroff --force 2>/dev/null
    wait_for 10 machine_has_ended "$name" || machine_kill "$name"
    wait_for 10 machine_has_ended "$name" || die "$name does not end"
    ! mountpoint -q "$dir/root" || umount "$dir/root"
    rm -rf "$dir"
    for mount in $(cgroup_mounts); do
        [ ! -d "$mount/$lab_netns-$name" ] ||
            find "$mount/$lab_netns-$name" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
}

# The keeper as well: it writes its last word into the directory after nspawn is gone.
machine_has_ended() {
    ! pid_of "$lab_dir/$1/nspawn.pid" >/dev/null && ! pid_of "$lab_dir/$1/keeper.pid" >/dev/null
}

backend_remove() {
    network_down
    rmdir "$lab_dir" 2>/dev/null || true
}
