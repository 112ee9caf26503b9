# shellcheck shell=bash
# The lab's network: one bridge inside a network namespace of the lab's own. The host's addresses, routes and firewall are
# never touched, so nothing of the lab can meet anything outside it.
#
# Cutting a link is a rule of the bridge between two machines' ports; the ports keep their names when a machine reboots.

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

machine_port() {
    echo "vb-$LAB-$1"
}

# network_cut A B: nothing goes from A to B any more.
network_cut() {
    in_network nft -f - <<END
table bridge lab {
    chain cut {
        type filter hook forward priority 0; policy accept;
        iifname "$(machine_port "$1")" oifname "$(machine_port "$2")" counter drop
    }
}
END
}

network_heal() {
    in_network nft 'add table bridge lab; delete table bridge lab'
}

# The cut links, one "A B" a line.
network_cuts() {
    { in_network nft list table bridge lab 2>/dev/null || true; } |
        sed -nE "s/.*iifname \"vb-$LAB-([a-z0-9]+)\" oifname \"vb-$LAB-([a-z0-9]+)\".*/\1 \2/p" | sort -u
}
