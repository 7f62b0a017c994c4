"""Record the sample captures from real programs: `python3 pcaps/samples/record.py [NAME...]`, as root.

Two network namespaces, `inside` (the instance) and `outside` (everything else), are joined by a veth
pair. Real servers and clients run in them while tcpdump or dumpcap records the inside end. Nothing
filters the traffic: a capture holds what the programs said to each other, and its rule file decides
what a security group would have made of it. Every sample is one function and one row of SAMPLES.
Addresses are private or from the documentation blocks (RFC 5737, RFC 3849); keys are made anew.
"""

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING or __package__:
    from pcaps.samples.lab import (
        COOKED,
        DATABASE,
        GZIP,
        INSTANCE,
        MICRO,
        NANO,
        PCAPNG,
        Ends,
        Lab,
        LabError,
        Writer,
        call,
    )
else:  # run as a script: the first folder on sys.path is this one
    from lab import COOKED, DATABASE, GZIP, INSTANCE, MICRO, NANO, PCAPNG, Ends, Lab, LabError, Writer, call

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"
WHOLE, HEADERS = 262144, 128  # snap lengths, bytes


class Program(NamedTuple):
    """A program that samples run: Debian's package, how to ask for its version, its name in the README."""

    package: str
    version: tuple[str, ...]
    name: str = ""


PROGRAMS = {
    "ethtool": Program("ethtool", ("ethtool", "--version")),
    "ip": Program("iproute2", ("ip", "-V")),
    "ss": Program("iproute2", ("ss", "-V")),
    "tcpdump": Program("tcpdump", ("tcpdump", "--version")),
    "dumpcap": Program("wireshark-common", ("dumpcap", "--version")),
    "curl": Program("curl", ("curl", "--version")),
    "nginx": Program("nginx", ("nginx", "-v")),
    "openssl": Program("openssl", ("openssl", "version")),
    "sshd": Program("openssh-server", ("ssh", "-V"), "OpenSSH"),  # sshd 9.2 cannot tell; one release with ssh
    "ssh": Program("openssh-client", ("ssh", "-V"), "OpenSSH"),
    "ssh-keygen": Program("openssh-client", ("ssh", "-V"), "OpenSSH"),
    "redis-server": Program("redis-server", ("redis-server", "--version"), "Redis"),
    "redis-cli": Program("redis-tools", ("redis-cli", "--version"), "Redis"),
    "dnsmasq": Program("dnsmasq-base", ("dnsmasq", "--version")),
    "dig": Program("bind9-dnsutils", ("dig", "-v")),
    "ping": Program("iputils-ping", ("ping", "-V"), "iputils"),
    "traceroute": Program("traceroute", ("traceroute", "-V")),
    "iperf3": Program("iperf3", ("iperf3", "--version")),
    "nmap": Program("nmap", ("nmap", "--version")),
    "python3": Program("python3", ("python3", "-V"), "Python"),
}

ALWAYS = ("ip", "ss", "ethtool", "tcpdump")

CLIENT, OUTSIDER, WEB, RESOLVER = "198.51.100.7", "203.0.113.9", "192.0.2.80", "192.0.2.53"
CLIENT6 = "2001:db8:2::7"
INSTANCE4, INSTANCE6 = "10.0.1.10", "2001:db8:1::10"

# --- servers -----------------------------------------------------------------------------------------


def nginx(lab: Lab, listen: str, inside: bool = True, more: str = "") -> None:
    """One nginx process with three small pages; `listen` as in nginx's configuration."""
    root = lab.scratch / "www"
    root.mkdir(exist_ok=True)
    (root / "index.html").write_text("<!doctype html><title>sample</title><p>It works.\n", encoding="utf-8")
    (root / "style.css").write_text("p { margin: 1em }\n" * 60, encoding="utf-8")
    (root / "data.txt").write_text("".join(f"line {n}\n" for n in range(700)), encoding="utf-8")
    config = lab.write(
        f"nginx-{inside}.conf",
        f"""daemon off; master_process off; pid {lab.scratch}/nginx-{inside}.pid; error_log stderr;
        events {{ worker_connections 32; }}
        http {{ access_log off; client_body_temp_path {lab.scratch}/body; proxy_temp_path {lab.scratch}/proxy;
                fastcgi_temp_path {lab.scratch}/f; uwsgi_temp_path {lab.scratch}/u; scgi_temp_path {lab.scratch}/s;
                server {{ {listen} root {root}; {more} }} }}""",
    )
    port = re.findall(r"(\d+)(?: ssl)?;", listen)[0]
    lab.serve(lab.inside if inside else lab.outside, port, "nginx", "-c", str(config), "-e", "stderr")


def dnsmasq(lab: Lab, inside: bool, address: str) -> None:
    """A name server for example.com that asks nobody else."""
    records = (
        f"--host-record=www.example.com,{WEB},2001:db8:3::80",
        "--txt-record=long.example.com," + ",".join("v" * 200 for _ in range(4)),
    )
    options = (
        "--keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --bind-interfaces --pid-file="
    )
    listen = [f"--listen-address={one}" for one in address.split()]
    lab.serve(lab.inside if inside else lab.outside, "53", "dnsmasq", *options.split(), *listen, *records)


# --- samples -----------------------------------------------------------------------------------------


def web_http(lab: Lab) -> None:
    """A web server is asked by clients, tried by an outsider, and opens connections of its own."""
    nginx(lab, "listen 80;")
    nginx(lab, f"listen {WEB}:80;", inside=False)
    dnsmasq(lab, inside=False, address=RESOLVER)
    site = f"http://{INSTANCE4}"
    with lab.recording():
        lab.outside.run("curl", "-sS", f"{site}/")
        lab.outside.run("curl", "-sS", f"{site}/", f"{site}/style.css", f"{site}/data.txt")
        lab.outside.run("curl", "-sS", "--interface", OUTSIDER, f"{site}/missing")
        lab.outside.run("curl", "-sS", "--interface", OUTSIDER, f"{site}:22/", fails=True)
        lab.inside.run("curl", "-sS", f"http://{WEB}/")
        lab.inside.run("dig", "+tries=1", f"@{RESOLVER}", "www.example.com", "A")


def instance_fetches(lab: Lab) -> None:
    """The instance is the client: it fetches pages; an outsider tries its ports."""
    nginx(lab, f"listen {WEB}:80;", inside=False)
    with lab.recording():
        lab.inside.run("curl", "-sS", f"http://{WEB}/")
        lab.inside.run("curl", "-sS", f"http://{WEB}/style.css", f"http://{WEB}/data.txt")
        for port in (80, 8080):
            lab.outside.run("curl", "-sS", "--interface", OUTSIDER, f"http://{INSTANCE4}:{port}/", fails=True)


def https(lab: Lab) -> None:
    """TLS over IPv4 and IPv6 with a certificate made on the spot."""
    key, certificate = str(lab.scratch / "key.pem"), str(lab.scratch / "certificate.pem")
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=www.example.com"
    lab.inside.run(*request.split(), "-keyout", key, "-out", certificate)
    listen = "listen 443 ssl; listen [::]:443 ssl;"
    nginx(lab, listen, more=f"ssl_certificate {certificate}; ssl_certificate_key {key};")
    with lab.recording():
        for address in (INSTANCE4, f"[{INSTANCE6}]"):
            name = f"www.example.com:443:{address}"
            lab.outside.run("curl", "-sSk", "--resolve", name, "https://www.example.com/data.txt")


def ssh(lab: Lab) -> None:
    """The office runs a command; somebody else, without a key, is turned away by sshd itself."""
    for name in ("host", "user"):
        lab.inside.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(lab.scratch / name))
    config = lab.write(
        "sshd_config",
        f"""ListenAddress {INSTANCE4}
        HostKey {lab.scratch}/host
        AuthorizedKeysFile {lab.scratch}/user.pub
        PidFile none
        StrictModes no
        UsePAM no
        PasswordAuthentication no
        KbdInteractiveAuthentication no
        """,
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # where sshd shuts its unprivileged half in
    lab.serve(lab.inside, "22", str(shutil.which("sshd")), "-D", "-e", "-f", str(config))
    quiet = "-F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes"
    with lab.recording():
        office = ("-b", OUTSIDER, "-i", str(lab.scratch / "user"), f"root@{INSTANCE4}")
        lab.outside.run("ssh", *quiet.split(), *office, "seq 1 2000")
        stranger = ("-b", CLIENT, "-i", "/dev/null", f"root@{INSTANCE4}")
        lab.outside.run("ssh", *quiet.split(), *stranger, "true", fails=True)


def database(lab: Lab) -> None:
    """Redis between two interfaces; a stranger of the same subnet asks too, and neither may do more."""
    redis = f"--bind 10.0.2.30 --port 6379 --protected-mode no --daemonize no --dir {lab.scratch}"
    lab.serve(lab.inside, "6379", "redis-server", *redis.split(), "--save", "")
    ask = ("redis-cli", "-h", "10.0.2.30")
    with lab.recording():
        for command in ("SET colour blue", "GET colour", "-r 3 INCR visits"):
            lab.outside.run(*ask, *command.split())
        lab.outside.run("curl", "-sS", "http://10.0.2.30:22/", fails=True)
        lab.inside.run("curl", "-sS", "http://10.0.1.20:8080/", fails=True)
        lab.outside.run("ip", "route", "replace", "10.0.2.0/24", "dev", "eth0", "src", "10.0.1.99")
        lab.outside.run(*ask, "PING")


def dns(lab: Lab) -> None:
    """A name server asked over UDP and TCP, IPv4 and IPv6; an answer too long for UDP is asked again over TCP."""
    dnsmasq(lab, inside=True, address=f"{INSTANCE4} {INSTANCE6}")
    with lab.recording():
        for server in (INSTANCE4, INSTANCE6):
            lab.outside.run("dig", f"@{server}", "www.example.com", "A")
            lab.outside.run("dig", f"@{server}", "www.example.com", "AAAA")
        lab.outside.run("dig", "+tcp", f"@{INSTANCE4}", "www.example.com", "A")
        lab.outside.run("dig", "+bufsize=512", f"@{INSTANCE4}", "long.example.com", "TXT")
        lab.outside.run("dig", "-b", OUTSIDER, f"@{INSTANCE4}", "www.example.com", "A")


def ping(lab: Lab) -> None:
    """Echo over IPv4 and IPv6, an outsider's echo, and traceroute's UDP to ports where nobody listens."""
    with lab.recording():
        for server in (INSTANCE4, INSTANCE6):
            lab.outside.run("ping", "-n", "-c", "3", "-i", "0.2", server)
        lab.outside.run("ping", "-n", "-c", "2", "-i", "0.2", "-I", OUTSIDER, INSTANCE4)
        for server in (INSTANCE4, INSTANCE6):
            lab.outside.run("traceroute", "-n", "-q", "2", "-N", "1", server)


def iperf3(lab: Lab) -> None:
    """A bulk transfer of 200 KiB over TCP, then a few datagrams of UDP."""
    lab.serve(lab.inside, "5201", "iperf3", "-s")
    with lab.recording():
        lab.outside.run("iperf3", "-c", INSTANCE4, "-B", CLIENT, "-n", "200K", "-l", "8K")
        lab.outside.run("iperf3", "-c", INSTANCE4, "-B", CLIENT, "-u", "-l", "1000", "-n", "20K", "-b", "10M")


def nmap(lab: Lab) -> None:
    """Port scans by SYN, FIN, NULL, Xmas, ACK and UDP; 80 and 8080 are open on the host."""
    nginx(lab, "listen 80; listen 8080;")
    how = f"nmap -n -Pn -e eth0 -S {OUTSIDER} --max-retries 1 --min-rtt-timeout 200ms"
    with lab.recording():
        for scan in ("-sS", "-sF", "-sN", "-sX", "-sA"):
            lab.outside.run(*how.split(), scan, "-p", "22,80,8080", INSTANCE4)
        lab.outside.run(*how.split(), "-sU", "-p", "123", INSTANCE4)


def closed_port(lab: Lab) -> None:
    """A client asks for ports where nobody listens: SYN, RST."""
    with lab.recording():
        for place in (f"{INSTANCE4}:8080", f"{INSTANCE4}:8081", f"[{INSTANCE6}]:8080"):
            lab.outside.run("curl", "-sS", f"http://{place}/", fails=True)


IDLE_SERVER = """
import socket, time
tcp, udp = socket.create_server(("10.0.1.10", 5000)), socket.socket(type=socket.SOCK_DGRAM)
udp.bind(("10.0.1.10", 5000))
request, client = udp.recvfrom(100)
udp.sendto(b"answer", client)
stream = tcp.accept()[0]
stream.sendall(stream.recv(100))
time.sleep(4)
udp.sendto(b"late news", client)
stream.sendall(b"late news")
while stream.recv(100): pass
stream.close()
"""
IDLE_CLIENT = """
import socket
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.connect(("10.0.1.10", 5000))
udp.send(b"question")
udp.recv(100)
tcp = socket.create_connection(("10.0.1.10", 5000))
tcp.sendall(b"question")
tcp.recv(100), tcp.recv(100), udp.recv(100)
tcp.close()
"""


def idle(lab: Lab) -> None:
    """A TCP connection and a UDP exchange that are silent for four seconds, then the server speaks first."""
    lab.serve(lab.inside, "5000", sys.executable, "-c", IDLE_SERVER)
    with lab.recording():
        lab.outside.run(sys.executable, "-c", IDLE_CLIENT)


class Sample(NamedTuple):
    """One capture: the function that runs it, the programs it needs, and how it is recorded."""

    run: Callable[[Lab], None]
    programs: str
    ends: Ends = INSTANCE
    writer: Writer = MICRO
    snap: int = WHOLE


SAMPLES = {
    "web-http": Sample(web_http, "nginx curl dnsmasq dig"),
    "instance-fetches": Sample(instance_fetches, "nginx curl"),
    "https": Sample(https, "nginx curl openssl", writer=GZIP, snap=HEADERS),
    "ssh": Sample(ssh, "sshd ssh ssh-keygen", snap=HEADERS),
    "database": Sample(database, "redis-server redis-cli curl", ends=DATABASE),
    "dns": Sample(dns, "dnsmasq dig dumpcap", writer=PCAPNG),
    "ping": Sample(ping, "ping traceroute", writer=COOKED),
    "iperf3": Sample(iperf3, "iperf3", writer=NANO, snap=96),
    "nmap": Sample(nmap, "nmap nginx"),
    "closed-port": Sample(closed_port, "curl"),
    "idle": Sample(idle, "python3"),
}

# --- recording ---------------------------------------------------------------------------------------


def missing(names: list[str]) -> dict[str, str]:
    """Programs that the samples need and that are not installed: name -> Debian package."""
    needed = dict.fromkeys((*ALWAYS, *(word for name in names for word in SAMPLES[name].programs.split())))
    return {word: PROGRAMS[word].package for word in needed if not shutil.which(word)}


def versions(sample: Sample) -> str:
    """What was run, with versions: "nginx 1.22.1, curl 7.88.1"."""
    recorder = "dumpcap" if "dumpcap" in sample.programs else "tcpdump"
    found: dict[str, str] = {}
    for word in (*sample.programs.split(), recorder):
        program = PROGRAMS[word]
        number = re.search(r"\d+(\.\d+)+\w*|\d{8}", call(*program.version, fails=True))
        found.setdefault(program.name or word, number[0] if number else "?")
    return ", ".join(f"{name} {number}" for name, number in found.items())


def record(name: str) -> str:
    """Record one sample; returns its row of the README's table."""
    sample = SAMPLES[name]
    with tempfile.TemporaryDirectory(prefix="eniwall-") as folder:
        lab = Lab(sample.ends, sample.writer, sample.snap, Path(folder))
        try:
            lab.build()
            sample.run(lab)
        finally:
            lab.remove()
    path = HERE / (name + sample.writer.suffix)
    path.write_bytes(lab.capture)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return f"| `{path.name}` | {lab.packets} | {today} | {versions(sample)} |"


def note(name: str, row: str) -> None:
    """Put a row in the place of the sample's old one in the README's table."""
    lines = README.read_text(encoding="utf-8").splitlines()
    old = f"| `{name}{SAMPLES[name].writer.suffix}` |"
    if not any(line.startswith(old) for line in lines):
        raise LabError(f"{README} has no row that starts with {old}: add one")
    README.write_text("\n".join(row if line.startswith(old) else line for line in lines) + "\n", encoding="utf-8")


def main(names: list[str]) -> int:
    """Record the samples named, or all; 0 when all were recorded, else 2."""
    unknown = [name for name in names if name not in SAMPLES]
    names = names or list(SAMPLES)
    if unknown:
        print(f"no sample {', '.join(unknown)}; there are {', '.join(SAMPLES)}", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("recording makes network namespaces: run it as root", file=sys.stderr)
        return 2
    if absent := missing(names):
        print(f"not installed: {', '.join(absent)}", file=sys.stderr)
        print(f"on Debian: apt-get install {' '.join(dict.fromkeys(absent.values()))}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # so that namespaces are removed then, too
    try:
        for name in names:
            row = record(name)
            note(name, row)
            print(row)
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
