# shellcheck shell=bash
# `lab status`: which machines and services run, and what the city says of itself. The JSON is made first; what people see is
# made from it.

# What trafficctl says, asked on pc3; nothing when it says nothing.
city_status() {
    if local_is_up; then
        local_exec timeout 15 trafficctl --json status
    else
        machine_exec pc3 timeout 15 trafficctl --json status
    fi </dev/null 2>/dev/null | jq -c '.data // empty' 2>/dev/null
}

# The services of a machine as a JSON array.
machine_services() {
    machine_exec "$1" systemctl show --property=Id,ActiveState,SubState,StatusText,NRestarts 'traffic-*.service' \
        </dev/null 2>/dev/null | jq -Rsc '
        split("\n\n")
        | map(split("\n") | map(capture("^(?<key>[^=]+)=(?<value>.*)$")) | from_entries | select(.Id))
        | map({unit: .Id, active: .ActiveState, sub: .SubState, doing: .StatusText, restarts: (.NRestarts | tonumber)})
        | sort_by(.unit)'
}

machine_json() {
    local is_up=false services='[]'
    if machine_is_up "$1"; then
        is_up=true
        services=$(machine_services "$1")
    fi
    jq -nc --arg name "$1" --arg address "${machine_address[$1]}" --argjson up "$is_up" --argjson services "$services" \
        '{$name, $address, $up, $services}'
}

status_json() {
    local city machine_list cuts='[]' backend=$LAB_ON
    city=$(city_status) || true
    if local_is_up; then
        backend=local
        machine_list=$(local_json)
    else
        machine_list=$(for name in "${machines[@]}"; do machine_json "$name"; done | jq -sc .)
        if network_is_up; then
            cuts=$(network_cuts | jq -Rnc '[inputs | split(" ")]')
        fi
    fi
    jq -nc --arg lab "$LAB" --arg backend "$backend" --argjson machines "$machine_list" --argjson cuts "$cuts" \
        --argjson city "${city:-null}" '{$lab, $backend, $machines, $cuts, $city}'
}

status_print() {
    status_json | jq -r '
        "",
        (.machines[]
            | "\(.name)  \(.address)  \(if .up then "up" else "DOWN" end)",
              (.services[] | "    \(.unit | rtrimstr(".service") | . + " " * ([26 - length, 1] | max))"
                  + "\(.active)\(if .restarts > 0 then ", restarted \(.restarts)x" else "" end)"
                  + "\(if .doing != "" and .doing != null then "  \(.doing)" else "" end)")),
        (if (.cuts | length) > 0 then "\nCut: \(.cuts | map(join(" -> ")) | join(", "))" else empty end),
        "",
        (if .city then .city |
            "City: \(.total_intersections) intersections; \(.db_summary.total_sensor_events) events stored, "
            + "\([.events_per_second // {} | .[]] | add // 0 | . * 10 | round / 10) a second now; "
            + "\(.db_summary.total_semaphore_changes) light changes; \(.currently_congested | length) congested now; "
            + "\(.currently_green_wave | length) in a green wave"
         else "City: no answer to trafficctl status" end)'
}

verb_status() {
    case $# in
    0) ;;
    1) [ "$1" = --json ] || usage_error "'$1' is not an option of status; see: lab help" ;;
    *) usage_error "expected: lab status [--json]" ;;
    esac
    local_is_up || need_root status "$@"
    host_needs "lab status" jq
    if [ $# -eq 1 ]; then
        status_json
    else
        status_print
    fi
}
