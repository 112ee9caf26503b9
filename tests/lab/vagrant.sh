# shellcheck shell=bash
# Backend (backend.sh): the three virtual machines of vagrant/, the same ones that a user has by `vagrant up`. There is one set of them for all
# labs, because their addresses are fixed.
#
# `lab` gives them packages and settings by itself, as it does to containers; what `vagrant up` provisions is not asked for. They are reached by
# one SSH connection each, which stays open.

backend_needs=(vagrant vagrant-libvirt libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils dnsmasq-base iptables
    openssh-client iproute2 nftables)

lab_dir=$lab_work/vagrant
machine_address=([pc1]=192.168.56.11 [pc2]=192.168.56.12 [pc3]=192.168.56.13)

# shellcheck source=vagrant/libvirt.sh
. "$lab_top/vagrant/libvirt.sh"

# The limits of time are those of a processor that is not emulated.
if [ -z "${LAB_PATIENCE:-}" ] && ! kvm_works; then
    export LAB_PATIENCE=10
fi
boot_timeout_sec=60

# Whoever may speak to the system's libvirt can work with its machines; an own one is root's.
backend_wants_root() {
    ! libvirt_answers
}

backend_check() {
    [ -x "$(command -v vagrant)" ] || echo "vagrant is missing: apt install vagrant vagrant-libvirt"
}

backend_prepare() {
    libvirt_start
    mkdir -p "$lab_dir"
}

backend_settings() {
    kvm_works || sed -nE 's/^  ([a-z]+)\.([a-z_]+): (.*)/[\1]\n\2 = \3/p' "$lab_top/vagrant/emulated.yml"
}

# The bridge's rules are root's, whoever may speak to libvirt.
in_network() {
    if [ "$EUID" -eq 0 ]; then
        libvirt_run "$@"
    else
        sudo "$@"
    fi
}

vagrant_do() {
    (cd "$lab_top/vagrant" && VAGRANT_DEFAULT_PROVIDER=libvirt libvirt_run vagrant "$@")
}

machine_domain() {
    echo "olaverde_$1"
}

machine_exists() {
    libvirt_answers && libvirt_virsh domid "$(machine_domain "$1")" >/dev/null 2>&1
}

machine_runs() {
    [ "$(libvirt_virsh domstate "$(machine_domain "$1")" 2>/dev/null)" = running ]
}

machine_has_ended() {
    ! machine_runs "$1"
}

machine_exec() {
    local name=$1 command
    shift
    machine_meet "$name"
    printf -v command ' %q' "$@"
    libvirt_run ssh -F "$lab_dir/$name/ssh-config" "$name" "sudo env$command"
}

machine_shell() {
    machine_meet "$1"
    libvirt_run ssh -F "$lab_dir/$1/ssh-config" -t "$1" sudo -i
}

machine_put() {
    # shellcheck disable=SC2016 # for the shell inside
    machine_exec "$2" sh -c 'mkdir -p "${1%/*}" && cat >"$1" && chmod 644 "$1"' sh "$3" <"$1"
}

# How SSH reaches a machine, and that all who do share a connection.
machine_write_ssh_config() {
    mkdir -p "$lab_dir/$1"
    {
        vagrant_do ssh-config "$1"
        printf '  %s\n' "ControlMaster auto" "ControlPath $lab_dir/$1/ssh" "ControlPersist 1h" "ConnectTimeout 10" \
            "ServerAliveInterval 5" "ServerAliveCountMax 6"
    } | grep -v '^$' >"$lab_dir/$1/ssh-config.new"
    mv "$lab_dir/$1/ssh-config.new" "$lab_dir/$1/ssh-config"
}

# A machine may have been made by `vagrant up`, and made anew, with another key, since.
machine_meet() {
    [ ! "$lab_dir/$1/ssh-config" -nt "$lab_top/vagrant/.vagrant/machines/$1/libvirt/private_key" ] || return 0
    machine_runs "$1" || die "$1 is not running; start it with: lab up --on vagrant"
    machine_write_ssh_config "$1"
}

machine_write_hosts() {
    local other hosts
    hosts=$(mktemp)
    echo "127.0.0.1 localhost" >"$hosts"
    for other in "${machines[@]}"; do
        echo "${machine_address[$other]} $other" >>"$hosts"
    done
    machine_put "$hosts" "$1" /etc/hosts
    rm "$hosts"
}

machine_boot() {
    local name=$1 log=$lab_dir/$1/vagrant.log
    if machine_runs "$name" && machine_is_up "$name"; then
        return
    fi
    mkdir -p "$lab_dir/$name"
    vagrant_do up --no-provision "$name" >"$log" 2>&1 </dev/null || {
        tail -n 20 "$log" >&2
        die "vagrant could not start $name; its last lines are above"
    }
    machine_write_ssh_config "$name"
    wait_for "$boot_timeout_sec" machine_is_up "$name" || die "$name did not boot within $boot_timeout_sec s; look with: virsh console $(machine_domain "$name")"
    machine_write_hosts "$name"
}

# The power goes: its disk holds what was synced. (What QEMU was given is in this host's memory, which keeps its power.)
machine_kill() {
    libvirt_virsh destroy "$(machine_domain "$1")" >/dev/null
    machine_hang_up "$1"
}

# The connection that is shared does not learn of the other end's death by itself.
machine_hang_up() {
    [ ! -S "$lab_dir/$1/ssh" ] || ssh -F "$lab_dir/$1/ssh-config" -O exit "$1" 2>/dev/null || rm -f "$lab_dir/$1/ssh"
}

machine_remove() {
    machine_hang_up "$1"
    # One after the other: the last one takes the networks away.
    (flock 9 && vagrant_do destroy --force "$1" >&2 </dev/null) 9>"$lab_dir/lock"
    rm -rf "${lab_dir:?}/$1"
}

network_is_up() {
    libvirt_answers && [[ $(libvirt_virsh net-info olaverde 2>/dev/null) =~ Active:\ +yes ]]
}

backend_remove() {
    rm -rf "$lab_dir"
    libvirt_stop
}
