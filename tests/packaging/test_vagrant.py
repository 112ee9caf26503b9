"""What `vagrant up` runs inside a virtual machine, run inside a machine of the lab."""
from conftest import TOP, deb

ADDRESSES = ["pc1=192.168.56.11", "pc2=192.168.56.12", "pc3=192.168.56.13"]


def provision(machine):
    machine.call("put", TOP / "vagrant" / "provision", "/root/provision")
    return machine.call("exec", "bash", "/root/provision", "pc3", *ADDRESSES, check=False)


def test_provision_without_packages_says_how_to_make_them(machine):
    done = provision(machine)
    assert done.returncode == 1
    assert "packaging/build --output vagrant/packages" in done.stderr


def test_provision_makes_the_machine_its_role_and_can_be_run_again(machine):
    for role in ("traffic-common", "traffic-pc3"):
        machine.call("put", deb(role), f"/packages/{deb(role).name}")
    for _ in range(2):
        done = provision(machine)
        assert done.returncode == 0, done.stdout + done.stderr
        assert machine.is_active("traffic-store@primary")
    assert "network.pc2 = 192.168.56.12" in machine.run("trafficctl", "config", "cat")
    assert machine.run("cat", "/etc/hosts").count("192.168.56.12 pc2") == 1
    assert machine.is_active("traffic-pc3.target")
