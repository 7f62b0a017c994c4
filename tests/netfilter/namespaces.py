"""Two network namespaces joined through a bridge whose frames netfilter sees.

    ends:      outside_h            eni_h            AF_PACKET sockets send and receive here
                  | veth               | veth
    firewall:  outside_p --- br0 --- eni_p           br_netfilter -> inet hooks -> conntrack -> nft

Their names hold the process id, so that several runs stand side by side. Nothing outside of them is
touched, and `Namespaces.close` takes both away.
"""

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
RECEIVE_BUFFER = 1 << 24
MTU = 65535
SIDES = ("outside", "eni")
MACS = {"outside": bytes.fromhex("020000000001"), "eni": bytes.fromhex("020000000002")}
BRIDGE_SYSCTLS = {
    "bridge-nf-call-iptables": 1,
    "bridge-nf-call-ip6tables": 1,
    "bridge-nf-call-arptables": 0,
    "bridge-nf-filter-vlan-tagged": 1,
}
SETNS = getattr(ctypes.CDLL(None, use_errno=True), "setns", None) if os.name == "posix" else None  # Linux alone has it


def missing() -> str:
    """What this machine lacks for the comparison, in words; empty where nothing is missing."""
    if os.geteuid() != 0:
        return "needs root: network namespaces"
    for tool in ("nft", "ip", "bridge"):
        if shutil.which(tool) is None:
            return f"needs the command {tool}"
    try:
        namespaces = Namespaces()
    except OSError as error:
        return f"no namespaces with a filtering bridge (nf_conntrack, br_netfilter, nf_tables, veth): {error}"
    namespaces.close()
    return ""


def run(*command: str, text: str = "", check: bool = True) -> None:
    """Run a command with `text` on its standard input; raises OSError with what it said."""
    done = subprocess.run(command, input=text, check=False, capture_output=True, text=True)
    if check and done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


def enter(namespace: int) -> None:
    """Put this thread into the namespace that the open file stands for."""
    if SETNS is None or SETNS(namespace, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def visiting(name: str) -> Iterator[None]:
    """This thread in the named namespace, and back."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/var/run/netns/{name}", os.O_RDONLY)
    try:
        enter(there)
        try:
            yield
        finally:
            enter(home)
    finally:
        os.close(there)
        os.close(home)


class Namespaces:
    """Both namespaces, from the moment they are made until `close`. Raises OSError."""

    _made = 0

    def __init__(self) -> None:
        Namespaces._made += 1
        stem = f"eniwall{os.getpid()}n{Namespaces._made}"
        self.firewall, self.ends = f"{stem}f", f"{stem}e"
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        for name in (self.firewall, self.ends):
            run("ip", "netns", "add", name)
            with visiting(name):
                self.write("net/ipv6/conf/all/disable_ipv6", 1)
                self.write("net/ipv6/conf/default/disable_ipv6", 1)
        run("ip", "-batch", "-", text="".join(self._pair(side) for side in SIDES))
        run("ip", "-n", self.ends, "-batch", "-", text="".join(_end(side) for side in SIDES))
        bridge = "link add br0 type bridge stp_state 0 forward_delay 0 ageing_time 0 mcast_snooping 0\n"
        ports = "".join(f"link set {side}_p mtu {MTU} arp off master br0 up\n" for side in SIDES)
        run("ip", "-n", self.firewall, "-batch", "-", text=f"{bridge}{ports}link set br0 mtu {MTU} arp off up\n")
        for side in SIDES:
            run("bridge", "-n", self.firewall, "link", "set", "dev", f"{side}_p", "learning", "off", "flood", "on")
        with visiting(self.firewall):
            for name, value in BRIDGE_SYSCTLS.items():
                self.write(f"net/bridge/{name}", value)

    def _pair(self, side: str) -> str:
        return f"link add {side}_h netns {self.ends} mtu {MTU} type veth peer name {side}_p netns {self.firewall}\n"

    @staticmethod
    def write(sysctl: str, value: int | str) -> None:
        """Set a sysctl of the namespace that this thread is in."""
        Path("/proc/sys", sysctl).write_text(str(value))

    def load(self, ruleset: str) -> None:
        """Replace every nftables rule of the firewall's namespace."""
        run("ip", "netns", "exec", self.firewall, "nft", "-f", "-", text=f"flush ruleset\n{ruleset}")

    def packet_sockets(self) -> dict[str, socket.socket]:
        """A socket at each end: what is sent there meets the firewall, what comes there passed it."""
        sockets = {}
        with visiting(self.ends):
            for side in SIDES:
                end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
                end.bind((f"{side}_h", ETH_P_ALL))
                end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
                sockets[side] = end
        return sockets

    def close(self) -> None:
        """Take both namespaces away; what is in them goes too."""
        for name in (self.firewall, self.ends):
            run("ip", "netns", "del", name, check=False)


def _end(side: str) -> str:
    return f"link set {side}_h address {MACS[side].hex(':')} mtu {MTU} arp off up\n"
