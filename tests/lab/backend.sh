# shellcheck shell=bash
# What the three machines are made of. Everything but the chosen file says "machine" and means these:
#
#   backend_needs            host packages
#   machine_address          of each machine
#   lab_dir                  a directory for what is known of them
#   backend_wants_root       whether only root can work with machines
#   backend_check            why this host cannot run machines (one sentence), or nothing
#   backend_prepare          whatever all machines need
#   backend_settings         what traffic.conf has to say because of what they are made of
#   machine_boot NAME        boots it (new when it never was) and waits until systemd is up
#   machine_runs NAME        it has power
#   machine_exists NAME      it was made, whether it runs or not
#   machine_has_ended NAME   nothing of it runs any more
#   machine_exec NAME CMD... runs a command inside
#   machine_shell NAME       a shell inside, on this terminal
#   machine_put FILE NAME PATH   copies a file into it
#   machine_kill NAME        the machine crashes
#   machine_remove NAME      ends it and removes everything of it
#   network_is_up
#   in_network CMD...        runs a command of this host that sees the bridge that they are on
#   backend_remove           what is left when all machines are removed

LAB_ON=${LAB_ON:-nspawn}

# Whether systemd has started everything in a machine.
machine_is_up() {
    case $(machine_exec "$1" systemctl is-system-running 2>/dev/null </dev/null) in
    running | degraded) ;;
    *) return 1 ;;
    esac
}

# Takes --on BACKEND out of the arguments, which are backend_arguments then. What stands behind `exec` is somebody else's command line.
backend_choose() {
    backend_arguments=()
    while [ $# -gt 0 ]; do
        case $1 in
        exec)
            backend_arguments+=("$@")
            break
            ;;
        --on)
            [ $# -ge 2 ] || usage_error "--on wants a value: nspawn or vagrant"
            LAB_ON=$2
            shift
            ;;
        --on=*) LAB_ON=${1#*=} ;;
        *) backend_arguments+=("$1") ;;
        esac
        shift
    done
    export LAB_ON
    case $LAB_ON in
    nspawn)
        # shellcheck source=tests/lab/nspawn.sh
        . "$lab_parts/nspawn.sh"
        ;;
    vagrant)
        # shellcheck source=tests/lab/vagrant.sh
        . "$lab_parts/vagrant.sh"
        ;;
    *) usage_error "--on $LAB_ON: expected nspawn or vagrant" ;;
    esac
}
