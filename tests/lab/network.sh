# shellcheck shell=bash
# Links between machines that are cut: rules of the bridge that all three are on, by the machines' addresses, which stay the same when one boots
# again. The backend says how a command gets to that bridge: in_network COMMAND...

# network_cut A B: nothing goes from A to B any more.
network_cut() {
    in_network nft -f - <<END
table bridge lab {
    chain cut {
        type filter hook forward priority 0; policy accept;
        ip saddr ${machine_address[$1]} ip daddr ${machine_address[$2]} counter drop
        arp saddr ip ${machine_address[$1]} arp daddr ip ${machine_address[$2]} counter drop
    }
}
END
}

network_heal() {
    in_network nft 'add table bridge lab; delete table bridge lab'
}

# The cut links, one "A B" a line.
network_cuts() {
    local from to a b
    while read -r a b; do
        for from in "${machines[@]}"; do
            for to in "${machines[@]}"; do
                [ "${machine_address[$from]} ${machine_address[$to]}" != "$a $b" ] || echo "$from $to"
            done
        done
    done < <({ in_network nft list table bridge lab 2>/dev/null || true; } | sed -nE 's/.*ip saddr ([0-9.]+) ip daddr ([0-9.]+).*/\1 \2/p' | sort -u)
}
