# shellcheck shell=bash
# The verbs that break a city on purpose and say what came of it. What they do is Python's, in faults/; here they get a lab.

# What these need on this host beside a lab.
breaking_needs=(python3 python3-zmq e2fsprogs mount nftables)

# Runs a module of tests/lab; LAB is the lab it works on.
breaking_python() {
    LAB=$LAB PYTHONPATH=$lab_parts /usr/bin/python3 -B -m "$@"
}

verb_chaos() {
    need_root chaos "$@"
    host_needs "lab chaos" "${breaking_needs[@]}"
    breaking_python chaos "$@"
}

verb_measure() {
    need_root measure "$@"
    host_needs "lab measure" "${breaking_needs[@]}"
    breaking_python measure "$@"
}
