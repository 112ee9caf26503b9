# shellcheck shell=bash
# The short verbs: look into a machine, break links, end it all.

verb_exec() {
    [ $# -ge 2 ] || usage_error "expected: lab exec MACHINE COMMAND..."
    check_machine "$1"
    if local_is_up; then
        shift
        local_exec "$@"
    else
        need_root exec "$@"
        machine_exec "$@"
    fi
}

verb_shell() {
    [ $# -eq 1 ] || usage_error "expected: lab shell MACHINE"
    check_machine "$1"
    if local_is_up; then
        local_exec bash
    else
        need_root shell "$@"
        machine_shell "$1"
    fi
}

verb_cut() {
    local one_way=no
    [ "${3:-}" != --one-way ] || one_way=yes
    if [ $# -lt 2 ] || [ $# -gt 3 ] || { [ $# -eq 3 ] && [ "$one_way" = no ]; } || [ "$1" = "$2" ]; then
        usage_error "expected: lab cut A B [--one-way], two different machines"
    fi
    check_machine "$1"
    check_machine "$2"
    ! local_is_up || die "the processes of a local city share one network: there is no link to cut"
    need_root cut "$@"
    network_is_up || die "there is no lab whose links could be cut; start it with: lab up"
    network_cut "$1" "$2"
    [ "$one_way" = yes ] || network_cut "$2" "$1"
    say "Nothing passes from $1 to $2$([ "$one_way" = yes ] || echo " or back") until: lab heal"
}

verb_heal() {
    [ $# -eq 0 ] || usage_error "heal takes no argument"
    need_root heal
    network_is_up || die "there is no lab whose links could heal; start it with: lab up"
    network_heal
    say "All links work."
}

verb_crash() {
    [ $# -eq 1 ] || usage_error "expected: lab crash MACHINE"
    check_machine "$1"
    ! local_is_up || die "a local city has no machines: kill a process instead"
    need_root crash "$@"
    machine_runs "$1" || die "$1 is not running; start it with: lab up"
    machine_kill "$1"
    wait_for 10 machine_has_ended "$1" || die "$1 does not end"
    say "$1 died as if unplugged. To bring it back: lab boot $1"
}

verb_boot() {
    [ $# -eq 1 ] || usage_error "expected: lab boot MACHINE"
    check_machine "$1"
    need_root boot "$@"
    machine_exists "$1" || die "there is no $1 to boot; make one with: lab up"
    if machine_runs "$1"; then
        wait_for "$boot_timeout_sec" machine_is_up "$1" || die "$1 runs, but has not started everything in it within $boot_timeout_sec s"
        return
    fi
    wait_for 10 machine_has_ended "$1" || die "$1 neither runs nor has it ended"
    machine_boot "$1"
}

verb_down() {
    [ $# -eq 0 ] || usage_error "down takes no argument"
    local name
    sumo_input_end
    if local_is_up; then
        local_down
        return
    fi
    need_root down
    for name in "${machines[@]}"; do
        machine_exists "$name" || continue
        step "Ending $name"
        machine_remove "$name" &
    done
    wait
    backend_remove
    say "Nothing of the lab runs any more. Images stay in $lab_cache, packages in .lab/."
}
