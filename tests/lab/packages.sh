# shellcheck shell=bash
# The packages that the machines install: built from this checkout when it differs from what they were built from.

packages_stamp=$lab_packages/source

packages_exist() {
    compgen -G "$lab_packages/traffic-pc3_*.deb" >/dev/null
}

packages_build() {
    local digest log=$lab_work/packages.log
    # A machine that can build has what the packages' Build-Depends name.
    mapfile -t needs < <(packages_build_needs)
    host_needs "building the packages" build-essential debhelper git "${needs[@]}"
    digest=$("$lab_top/packaging/build" --digest)
    if packages_exist && [ "$(cat "$packages_stamp" 2>/dev/null)" = "$digest" ]; then
        step "The packages are as new as this checkout"
        return
    fi
    step "Building the packages (about a minute; log: .lab/packages.log)"
    rm -rf "$lab_packages"
    mkdir -p "$lab_packages"
    if ! DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=$(nproc)" \
        "$lab_top/packaging/build" --output "$lab_packages" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        die "the packages do not build; the end of the log is above"
    fi
    echo "$digest" >"$packages_stamp"
}

packages_build_needs() {
    sed -n '/^Build-Depends:/,/^[^ ]/p' "$lab_top/packaging/debian/control" | sed -nE 's/^ ([a-z0-9.+-]+).*/\1/p' |
        grep -v debhelper-compat
}

# The files that make a machine the one of this name.
packages_of() {
    local role
    for role in traffic-common "traffic-$1"; do
        compgen -G "$lab_packages/${role}_*.deb"
    done
}
