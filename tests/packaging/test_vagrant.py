"""What `vagrant up` runs inside a virtual machine, run inside a machine of the lab."""
import shutil
import subprocess

import pytest
from conftest import PACKAGES, TOP

SETTINGS = ["network.pc1=192.168.56.11", "network.pc2=192.168.56.12", "network.pc3=192.168.56.13", "broker.mode=threaded"]
BROUGHT = "/tmp/traffic-repository"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The signed repository of the built packages."""
    directory = tmp_path_factory.mktemp("repository") / "apt"
    subprocess.run([TOP / "packaging" / "repository", "--packages", PACKAGES, "--output", directory], check=True, capture_output=True)
    return directory


def bring(machine, directory):
    """A container's /tmp is not where its other files are: by another place."""
    for file in directory.iterdir():
        machine.call("put", file, f"/root/brought/{file.name}")
    machine.run("rm", "-rf", BROUGHT)
    machine.run("cp", "-r", "/root/brought", BROUGHT)


def provision(machine):
    machine.call("put", TOP / "vagrant" / "provision", "/root/provision")
    return machine.call("exec", "bash", "/root/provision", "pc3", *SETTINGS, check=False)


def test_provision_without_packages_says_what_it_expects(machine):
    done = provision(machine)
    assert done.returncode == 1
    assert "the repository that packaging/repository makes" in done.stderr


def test_packages_that_somebody_else_signed_are_not_installed(machine, repository, tmp_path):
    forged = tmp_path / "apt"
    shutil.copytree(repository, forged)
    text = (forged / "InRelease").read_text()
    (forged / "InRelease").write_text(text.replace("Origin: olaverde", "Origin: somebody"))
    bring(machine, forged)
    done = provision(machine)
    assert done.returncode != 0
    assert "not signed" in done.stdout + done.stderr or "BADSIG" in done.stdout + done.stderr
    assert not machine.succeeds("dpkg-query", "--status", "traffic-pc3")


def test_provision_makes_the_machine_its_role_and_can_be_run_again(machine, repository):
    for _ in range(2):
        bring(machine, repository)
        done = provision(machine)
        assert done.returncode == 0, done.stdout + done.stderr
        assert machine.is_active("traffic-store@primary")
    assert "file:/var/cache/traffic-repository" in machine.run("apt-cache", "policy", "traffic-pc3")
    assert "network.pc2 = 192.168.56.12" in machine.run("trafficctl", "config", "cat")
    assert "broker.mode = threaded" in machine.run("trafficctl", "config", "cat")
    assert machine.run("cat", "/etc/hosts").count("192.168.56.12 pc2") == 1
    assert machine.is_active("traffic-pc3.target")
