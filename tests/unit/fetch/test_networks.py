"""Which addresses are public: the registries as tables, and every border of every block."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.errors import InvalidArgument
from geminid.fetch.machine import own_networks
from geminid.fetch.networks import IPV4_REFUSED, IPV6_GIVEN_OUT, IPV6_REFUSED, is_public, read_networks

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "168.63.129.15",
    "168.63.129.17",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00:1450::1",
    "3ffe::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "2a00::1%eth0",
    "ff02::1",
    "ff0e::1",
    "1::1",
    "fe00::1",
]


@pytest.mark.parametrize("ip", PUBLIC)
def test_public(ip):
    assert is_public(ip_address(ip))


@pytest.mark.parametrize("ip", NOT_PUBLIC)
def test_not_public(ip):
    assert not is_public(ip_address(ip))


@pytest.mark.parametrize("network", [*IPV4_REFUSED, *IPV6_REFUSED], ids=str)
def test_a_block_is_refused_to_its_borders(network):
    assert not is_public(network[0])
    assert not is_public(network[-1])


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_every_ipv6_form(ip):
    assert is_public(IPv6Address(f"::ffff:{ip}")) == is_public(ip)
    assert is_public(IPv6Address(f"64:ff9b::{ip}")) == is_public(ip)
    six_to_four = IPv6Address(int(IPv6Address("2002::")) | int(ip) << 80)
    teredo = IPv6Address(int(IPv6Address("2001::")) | (int(ip) ^ 0xFFFF_FFFF))
    compatible = IPv6Address(int(ip))
    assert not any(is_public(each) for each in (six_to_four, teredo, compatible))


@given(st.ip_addresses())
def test_what_python_knows_to_be_special_is_never_public(ip):
    special = ip.is_private or ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified
    inside = isinstance(ip, IPv6Address) and ip in IPv6Network("64:ff9b::/96")
    if special or (ip.is_reserved and not inside):
        assert not is_public(ip) or (isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None)


@given(st.ip_addresses(v=6))
def test_nothing_outside_the_given_out_block_is_public_but_what_holds_ipv4(ip):
    if is_public(ip):
        assert ip in IPV6_GIVEN_OUT or ip in IPv6Network("::ffff:0:0/96") or ip in IPv6Network("64:ff9b::/96")


def test_networks_are_read():
    assert read_networks(["10.1.2.0/24", "fd00::/8", "10.0.0.1"]) == (
        *(ip_network("10.1.2.0/24"), ip_network("fd00::/8"), ip_network("10.0.0.1/32")),
    )


def test_every_wrong_network_is_named():
    with pytest.raises(InvalidArgument, match=r"10\.1\.2\.0/24: 10\.1\.2\.3/24, intranet\."):
        read_networks(["10.1.2.3/24", "10.0.0.0/8", "intranet"])


def test_the_machine_stands_in_networks_that_seem_public_only(monkeypatch):
    import socket
    from types import SimpleNamespace

    def found(*spelled):
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [SimpleNamespace(family=families[6 if ":" in each else 4], address=each) for each in spelled]

    hardware = SimpleNamespace(family=socket.AF_PACKET, address="00:00:5e:00:53:01")
    interfaces = {
        "lo": found("127.0.0.1", "::1"),
        "eth0": [*found("8.8.4.4", "10.0.0.7", "2a00:1:2:3::7", "fe80::1%eth0"), hardware],
    }
    monkeypatch.setattr("psutil.net_if_addrs", lambda: interfaces)
    assert own_networks() == (ip_network("8.8.4.4/32"), ip_network("2a00:1:2:3::/64"))
    assert IPv4Address("8.8.4.4") in own_networks()[0]
