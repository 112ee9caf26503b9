"""The packages as files."""
import hashlib
import subprocess

from conftest import PACKAGES, ROLES, TOP, deb, environment


def files_of(role):
    listing = subprocess.run(["dpkg-deb", "--contents", deb(role)], check=True, capture_output=True, text=True).stdout
    return [line.split()[5].removeprefix("./") for line in listing.splitlines() if not line.startswith("d")]


def test_lintian_finds_no_error_and_no_warning():
    [changes] = PACKAGES.glob("*.changes")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on=error,warning", changes], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_packages_share_no_file():
    seen = {}
    for role in ROLES:
        for file in files_of(role):
            assert file not in seen, f"{file} is in {seen[file]} and in {role}"
            seen[file] = role


def test_every_program_has_a_manual_page_in_its_package():
    for role in ROLES:
        files = files_of(role)
        for program in (file for file in files if file.startswith(("usr/bin/", "usr/sbin/"))):
            name, section = program.rsplit("/", 1)[1], 1 if program.startswith("usr/bin/") else 8
            assert f"usr/share/man/man{section}/{name}.{section}.gz" in files, f"{program} has no manual page in {role}"


def test_pages_that_units_name_exist():
    pages = {file.rsplit("/", 1)[1].removesuffix(".gz") for role in ROLES for file in files_of(role) if "/man/man" in file}
    for unit in (TOP / "systemd").glob("*.*"):
        for line in unit.read_text().splitlines() if unit.is_file() else []:
            for reference in line.removeprefix("Documentation=").split() if line.startswith("Documentation=") else []:
                page = reference.removeprefix("man:").replace("(", ".").rstrip(")")
                assert page in pages, f"{unit.name} names {reference}"


def test_two_builds_from_different_directories_are_identical(tmp_path):
    """The second one from an unpacked archive without its repository."""
    copy = tmp_path / "somewhere" / "else"
    copy.mkdir(parents=True)
    names = subprocess.run(["git", "-c", "safe.directory=*", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           check=True, capture_output=True).stdout.split(b"\0")
    present = b"\0".join(name for name in names if name and (TOP / name.decode()).exists())
    archive = subprocess.run(["tar", "-C", TOP, "--null", "--files-from=-", "-cf", "-"], input=present, check=True, capture_output=True)
    subprocess.run(["tar", "-C", copy, "-xf", "-"], input=archive.stdout, check=True)
    subprocess.run([copy / "packaging" / "build", "--output", tmp_path / "out"], check=True, capture_output=True,
                   env=environment(DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=2", TZ="Asia/Kathmandu", LC_ALL="C"))
    for role in ROLES:
        one, other = (hashlib.sha256(deb(role, directory).read_bytes()).hexdigest() for directory in (PACKAGES, tmp_path / "out"))
        assert one == other, f"{role} differs"
