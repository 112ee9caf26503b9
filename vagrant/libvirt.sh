# shellcheck shell=bash
# libvirt, for whoever works with the virtual machines: the system's where it runs, else one of our own in a network namespace, so that its
# networks exist only there. For machines without systemd or D-Bus, and for those whose own network nobody should touch.

libvirt_netns=olaverde-libvirt
libvirt_dir=/run/olaverde-libvirt

# Whether the processor's own virtualisation can be used. The device alone says nothing: it may be there, make a machine, and never run it.
kvm_works() {
    [ -e /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo
}

# libvirt_run COMMAND...: where the machines' networks are.
libvirt_run() {
    if [ -e "/run/netns/$libvirt_netns" ]; then
        nsenter --net="/run/netns/$libvirt_netns" -- "$@"
    else
        "$@"
    fi
}

libvirt_virsh() {
    LC_ALL=C libvirt_run virsh --quiet --connect qemu:///system "$@"
}

libvirt_answers() {
    command -v virsh >/dev/null && libvirt_virsh uri >/dev/null 2>&1
}

libvirt_start() {
    ! libvirt_answers || return 0
    local daemon package
    for daemon in virtlogd:libvirt-daemon libvirtd:libvirt-daemon-system qemu-system-x86_64:qemu-system-x86 dnsmasq:dnsmasq-base; do
        package=${daemon#*:}
        command -v "${daemon%:*}" >/dev/null || die "${daemon%:*} is missing: apt install $package"
    done
    [ "$EUID" -eq 0 ] || die "libvirt does not answer and only root can start one: systemctl start libvirtd, or run this as root"
    step "Starting libvirt in a network namespace of its own ($libvirt_netns)"
    mkdir -p "$libvirt_dir"
    ip netns add "$libvirt_netns"
    ip -n "$libvirt_netns" link set lo up
    # Its processes are numbered apart, too: their first one collects those that have ended, which libvirt waits for and which not every
    # container's own does, and with it all the others end.
    # shellcheck disable=SC2016 # for the shells that are started
    libvirt_run setsid --fork bash -c 'echo $$ >"$0/pid"; exec unshare --pid --fork --kill-child --mount-proc bash -c "virtlogd & libvirtd & wait" "$0/"' \
        "$libvirt_dir" </dev/null >"$libvirt_dir/log" 2>&1
    wait_for 30 libvirt_answers || die "libvirt does not answer; see $libvirt_dir/log"
}

# Ends the one that was started here; machines and networks are gone by then.
libvirt_stop() {
    local pid
    [ -d "$libvirt_dir" ] || return 0
    if pid=$(pid_of "$libvirt_dir/pid"); then
        kill -KILL "$pid"
    fi
    ip netns del "$libvirt_netns" 2>/dev/null || true
    rm -rf "$libvirt_dir"
}
