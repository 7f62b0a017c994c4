"""Two joined network namespaces in which real programs run while one end is recorded.

Used by record.py alone; needs root and iproute2. Nothing of the recording machine is written: MAC
addresses are locally administered (IEEE 802 section 8.4.2), and its name, system and processor are
taken out of the pcapng header.
"""

import gzip
import os
import re
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PATIENCE = 15.0  # seconds that a server may take to listen, a client to finish
SETTLE = 0.6  # seconds between the last client and the end of the recording

# --- the two ends, as `ip -batch` reads them ---------------------------------------------------------


class Ends(NamedTuple):
    """Addresses and routes of both namespaces."""

    inside: str
    outside: str


# A subnet of a VPC, its router, and the internet behind it; the router is the outside end itself.
INSTANCE = Ends(
    inside="""
        addr add 10.0.1.10/24 dev eth0
        addr add 2001:db8:1::10/64 dev eth0 nodad
        route add default via 10.0.1.1
        route add default via 2001:db8:1::1
    """,
    outside="""
        addr add 10.0.1.1/24 dev eth0
        addr add 198.51.100.7/32 dev eth0
        addr add 203.0.113.9/32 dev eth0
        addr add 192.0.2.53/32 dev eth0
        addr add 192.0.2.80/32 dev eth0
        addr add 2001:db8:1::1/64 dev eth0 nodad
        addr add 2001:db8:2::7/128 dev eth0 nodad
        route replace 10.0.1.0/24 dev eth0 src 198.51.100.7
        route add 2001:db8:1::10/128 dev eth0 src 2001:db8:2::7
    """,
)
# Two subnets of one VPC: an application and a stranger in one, the database (inside) in the other.
DATABASE = Ends(
    inside="""
        addr add 10.0.2.30/24 dev eth0
        route add 10.0.1.0/24 dev eth0
    """,
    outside="""
        addr add 10.0.1.20/24 dev eth0
        addr add 10.0.1.99/24 dev eth0
        route add 10.0.2.0/24 dev eth0 src 10.0.1.20
    """,
)
OFFLOADS = ("rx", "tx", "sg", "tso", "gso", "gro")  # off: checksums and segment sizes are those of a wire


def nameless(capture: bytes) -> bytes:
    """A pcapng file without the options that describe the machine (draft-ietf-opsawg-pcapng 4.1, 4.2).

    Taken out: shb_hardware (2) and shb_os (3) of the section header, if_os (12) of interfaces. The
    packet blocks stay as dumpcap wrote them.
    """
    out, at = bytearray(), 0
    while at < len(capture):
        kind, size = struct.unpack_from("<II", capture, at)
        body = capture[at + 8 : at + size - 4]
        if kind in MACHINE_OPTIONS:
            fixed, codes = MACHINE_OPTIONS[kind]
            body = body[:fixed] + without_options(body[fixed:], codes)
        out += struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
        at += size
    return bytes(out)


# Block type -> length of its fixed fields, codes of the options to take out.
MACHINE_OPTIONS = {0x0A0D0D0A: (16, (2, 3)), 1: (8, (12,))}


def without_options(options: bytes, codes: tuple[int, ...]) -> bytes:
    """A list of pcapng options (code, length, value padded to 4 bytes) without those of `codes`."""
    out, at = bytearray(), 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from("<HH", options, at)
        end = at + 4 + (length + 3) // 4 * 4
        if code not in codes:
            out += options[at:end]
        at = end
    return bytes(out)


def squeezed(capture: bytes) -> bytes:
    """The capture as gzip, without file name and time of its own."""
    return gzip.compress(capture, mtime=0)


class Writer(NamedTuple):
    """A recorder: its command without snap length, file and filter; the file's ending; a last touch."""

    command: tuple[str, ...]
    suffix: str = ".pcap"
    finish: Callable[[bytes], bytes] = bytes


# Hop-by-hop options (ip6[6] = 0) are multicast listener reports, which a VPC never sees.
NO_MLD = "not (ip6 and ip6[6] = 0)"
TCPDUMP = ("tcpdump", "-nn", "-U", "-Z", "root", "--immediate-mode")
MICRO = Writer((*TCPDUMP, "--time-stamp-precision=micro", "-i", "eth0"))
NANO = Writer((*TCPDUMP, "--time-stamp-precision=nano", "-i", "eth0"))
COOKED = Writer((*TCPDUMP, "--time-stamp-precision=micro", "-i", "any", "-y", "LINUX_SLL2"))
GZIP = Writer(MICRO.command, ".pcap.gz", squeezed)
PCAPNG = Writer(("dumpcap", "-n", "-q", "-i", "eth0"), ".pcapng", nameless)


class LabError(Exception):
    """A recording that did not work; the message says which program and what it wrote."""


class Namespace:
    """A network namespace with one end of the veth pair, and the processes started in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.processes: list[subprocess.Popen[bytes]] = []

    def run(self, *command: str, fails: bool = False) -> None:
        """Run a program to its end; raises LabError if it fails, unless `fails` says that it will."""
        call("ip", "netns", "exec", self.name, *command, fails=fails)

    def start(self, *command: str, log: Path) -> subprocess.Popen[bytes]:
        """A process in a group of its own, so that it can be ended by its id with all its children."""
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 (as in `call`)
                ("ip", "netns", "exec", self.name, *command),  # noqa: S607 (found by PATH, as a user would)
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def stop_all(self) -> None:
        """End what was started, the newest first."""
        for process in reversed(self.processes):
            for number in (signal.SIGTERM, signal.SIGKILL):
                if process.poll() is None:
                    os.killpg(process.pid, number)
                    try:
                        process.wait(3)
                    except subprocess.TimeoutExpired:
                        continue
        self.processes.clear()


class Lab:
    """Two joined namespaces, a scratch folder, and a recorder."""

    def __init__(self, ends: Ends, writer: Writer, snap: int, scratch: Path) -> None:
        self.ends = ends
        self.writer = writer
        self.snap = snap
        self.scratch = scratch
        self.inside = Namespace(f"eniwall-{os.getpid()}-inside")
        self.outside = Namespace(f"eniwall-{os.getpid()}-outside")
        self.packets = 0
        self.capture = b""

    def build(self) -> None:
        """The veth pair, its addresses and routes."""
        for end in (self.inside, self.outside):
            call("ip", "netns", "add", end.name)
        peer = f"peer name eth0 netns {self.outside.name} address 02:00:00:00:00:01"
        call("ip", *f"-n {self.inside.name} link add eth0 address 02:00:00:00:00:10 type veth {peer}".split())
        for end, setup in ((self.inside, self.ends.inside), (self.outside, self.ends.outside)):
            # No link-local address: without one Linux sends no router solicitations.
            up = "link set lo up\nlink set eth0 addrgenmode none\nlink set eth0 up\n"
            call("ip", "-n", end.name, "-batch", "-", stdin=up + setup)
            end.run("ethtool", "-K", "eth0", *(word for name in OFFLOADS for word in (name, "off")))
            # A router asks for a neighbour from its own address in that subnet (arp_announce in ip-sysctl).
            end.run("sh", "-c", "echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce")

    def remove(self) -> None:
        """End every process and take the namespaces away; the veth pair goes with them."""
        for end in (self.outside, self.inside):
            end.stop_all()
            call("ip", "netns", "del", end.name, fails=True)

    def write(self, name: str, text: str) -> Path:
        """A file in the scratch folder, readable by its owner alone (ssh insists)."""
        path = self.scratch / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    def serve(self, end: Namespace, port: str, *command: str) -> None:
        """Start a server and wait until it listens on `port` ("80", "53") in its namespace."""
        log = self.scratch / f"{Path(command[0]).name}-{len(end.processes)}.log"
        process = end.start(*command, log=log)
        wait_for(command[0], lambda: call("ss", "-N", end.name, "-Hlntu", f"sport = :{port}") != "", process, log)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the inside end while the body runs; leaves the file's bytes and its packet count."""
        writer, log, raw = self.writer, self.scratch / "recorder.log", self.scratch / "raw"
        flags = ("-s", str(self.snap), "-w", str(raw), *(("-f",) if writer is PCAPNG else ()), NO_MLD)
        process = self.inside.start(*writer.command, *flags, log=log)
        started = re.compile("listening on|File: ")
        wait_for(writer.command[0], lambda: raw.exists() and bool(started.search(log.read_text())), process, log)
        yield
        time.sleep(SETTLE)
        os.kill(process.pid, signal.SIGINT)
        process.wait(PATIENCE)
        counted = re.search(r"(\d+) packets? captured|Packets captured: (\d+)", log.read_text())
        complete = re.search(r"\b0 packets dropped by kernel|received/dropped on interface .*: \d+/0 ", log.read_text())
        if counted is None or complete is None:
            raise LabError(f"the recorder lost packets, or does not say that it lost none:\n{log.read_text()}")
        self.packets = int(counted[1] or counted[2])
        self.capture = writer.finish(raw.read_bytes())


def call(*command: str, stdin: str = "", fails: bool = False) -> str:
    """What a program wrote; raises LabError if it fails, unless `fails` says that it will."""
    try:
        result = subprocess.run(  # noqa: S603 (commands are written in record.py, nobody else's words reach them)
            command,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(command)} did not end in {PATIENCE:.0f} seconds") from error
    if result.returncode and not fails:
        raise LabError(f"{' '.join(command)} ended with status {result.returncode}:\n{result.stdout}")
    return result.stdout


def wait_for(name: str, ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Until `ready`; raises LabError when the process ends first or patience does."""
    limit = time.monotonic() + PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > limit:
            raise LabError(f"{name} did not start:\n{log.read_text()}")
        time.sleep(0.05)
