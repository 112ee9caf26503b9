# shellcheck shell=bash
# The base image of all machines: a minimal Debian 12 with systemd and whatever the built packages depend on, so that a
# machine installs them without a network. Its name holds a digest of the list of packages: another list is another image.

image_suite=bookworm
# Beside the dependencies: an init, a network, what people reach for in a shell, and a clock that can be wrong.
image_extra=(systemd systemd-sysv dbus iproute2 iputils-ping procps less man-db bash-completion libfaketime)

# What the built packages depend on, one name a line, without versions and without each other.
image_dependencies() {
    local deb
    for deb in "$lab_packages"/traffic-*.deb; do
        dpkg-deb --field "$deb" Depends Pre-Depends
    done | sed -E 's/^(Pre-)?Depends: *//' | tr ',' '\n' | sed -E 's/\|.*//; s/\(.*//; s/[[:space:]]//g' |
        grep -vE '^(traffic-.*)?$' | sort -u
}

image_list() {
    { printf '%s\n' "${image_extra[@]}"; image_dependencies; } | sort -u
}

image_dir() {
    echo "$lab_cache/base-$( (echo "$image_suite 1"; image_list) | sha256sum | cut -c 1-12)"
}

# All labs share the images: only one at a time makes one.
image_ensure() {
    local dir
    dir=$(image_dir)
    [ ! -d "$dir" ] || return 0
    mkdir -p "$lab_cache"
    (
        flock 9
        [ -d "$dir" ] || image_make "$dir"
    ) 9>"$lab_cache/lock"
}

image_make() {
    local dir=$1 list
    list=$(image_list | paste -sd ,)
    step "Building the machines' base image (Debian 12 with $(image_list | wc -l) packages; kept in $lab_cache)"
    rm -rf "$dir.new"
    # shellcheck disable=SC2016 # $1 is the hook's own: the root
    mmdebstrap --quiet --mode=root --variant=minbase --include="$list" \
        --customize-hook='systemctl --root="$1" --quiet enable systemd-networkd' \
        --customize-hook='mkdir -p "$1/var/log/journal"' \
        --customize-hook='rm -f "$1/etc/resolv.conf"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        "$image_suite" "$dir.new" ${LAB_MIRROR:+"$LAB_MIRROR"} >&2 ||
        die "mmdebstrap could not build the base image; another mirror: LAB_MIRROR=http://... lab up"
    mv "$dir.new" "$dir"
}
