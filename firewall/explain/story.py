"""The life of a connection in sentences, from firewall.life: packets that change nothing are told together."""

from collections.abc import Iterator, Sequence

from conntrack.timeouts import NS
from firewall.explain.sight import when_text
from firewall.labels import counted, duration_text, flow_text, protocol_word
from firewall.state import Fate, Life, Step

ENDS = {"TIME_WAIT": "closed", "CLOSE": "reset"}


def story_lines(life: Life, *, several: bool) -> list[str]:
    """A heading, a sentence for each packet or run of packets, and the end."""
    flow = life.connection
    what = flow_text(flow.src, flow.dst, flow.protocol, flow.src_port, flow.dst_port)
    teller = _Teller(flow.src, flow.dst, several=several)
    under = f"under {flow.rule}" if flow.rule else "though no rule could decide"
    lines = [f"Flow {flow.flow} at {flow.eni}: {what}, opened {under}.", ""]
    lines += [teller.run_text(run, life.steps[0], flow.protocol) for run in runs(life.steps)]
    return [*lines, "", *teller.end_lines(life)]


def runs(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Steps one after another that are allowed and stay in one state, together."""
    run: list[Step] = []
    for step in steps:
        if run and not (_quiet(run[-1]) and _quiet(step) and run[-1].after == step.after):
            yield run
            run = []
        run.append(step)
    if run:
        yield run


def _quiet(step: Step) -> bool:
    return step.before == step.after and step.verdict == "ALLOW"


class _Teller:
    """Knows the two ends' names."""

    def __init__(self, opener: str, other: str, *, several: bool) -> None:
        self.ends = (opener, other)
        self.several = several

    def name(self, step: Step) -> str:
        return f"{step.packet} of {step.capture}" if self.several else str(step.packet)

    def run_text(self, run: Sequence[Step], first: Step, protocol: int) -> str:
        at = f"+{(run[0].time - first.time) / NS:.6f} s"
        if len(run) == 1:
            return f"{at}  packet {self.name(run[0])}: {self.step_text(run[0], protocol)}"
        data = sum(step.length or 0 for step in run)
        spans = duration_text(run[-1].time - run[0].time)
        carried = f", {data:,} bytes of data" if data else ""
        state = f"; the state stays {run[-1].after}" if run[-1].after else ""
        return (
            f"{at}  packets {self.name(run[0])} to {self.name(run[-1])}: {counted(len(run), 'packet')} in {spans}"
            f"{carried}, all allowed{state}"
        )

    def step_text(self, step: Step, protocol: int) -> str:
        sender = self.ends[step.reply]
        what = step.flags or f"{protocol_word(protocol)} packet"
        said = "is allowed" if step.verdict == "ALLOW" else f"is {step.verdict} {step.reason}"
        moved = f"{step.before or 'no entry'} -> {step.after or 'no entry'}"
        state = moved if step.before != step.after else f"state stays {step.after}" if step.after else ""
        return f"{sender} sends {what}; it {said}{f'; {state}' if state else ''} ({step.why})"

    def end_lines(self, life: Life) -> list[str]:
        """What became of it."""
        end = life.end
        lines = []
        if end.closed_by is not None:
            lines.append(f"It was {ENDS[end.closed_by.after]} by packet {self.name(end.closed_by)}.")
        if end.fate is Fate.UNTRACKED or end.expires is None:
            return [
                *lines,
                "The rules leave it untracked: they judged every packet of it, and there is no entry to expire.",
            ]
        when = when_text(end.expires, life.now)
        if end.fate is Fate.HELD:
            left = duration_text(end.expires - life.now)
            lines.append(
                f"At the end of the capture its entry is held; without another packet it is gone at {when}, in {left}."
            )
        if end.fate is Fate.TIMED_OUT:
            idle = duration_text(end.expires - life.steps[-1].time)
            lines.append(f"Its entry timed out at {when}, {idle} after its last packet.")
        if end.fate is Fate.DELETED and end.by is not None:
            lines.append(f"Packet {self.name(end.by)} deleted its entry: a reset was the only answer.")
        if end.fate is Fate.REPLACED and end.by is not None:
            lines.append(f"Packet {self.name(end.by)} used its ports again and opened flow {end.next_flow}.")
        if end.fate is Fate.DROPPED:
            lines.append("Its entry was dropped before its time: it made room for a new connection in a full table.")
        if end.late is not None:
            late = duration_text(end.late.time - end.expires)
            then = f" and opened flow {end.next_flow}" if end.next_flow else ""
            lines.append(
                f"Packet {self.name(end.late)} came {late} too late: {end.late.verdict} {end.late.reason}{then}."
            )
        return lines
