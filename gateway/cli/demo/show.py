"""What the demo shows: the table on stdout, and how to take part."""

import shlex
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.demo.folder import DESCRIPTION, SAMPLES_FOLDER
from gateway.cli.demo.samples import SAMPLES, Door, Ending, file_name
from gateway.cli.demo.setting import ACCOUNTS, NEIGHBOURS
from gateway.cli.demo.start import Demo
from gateway.cli.demo.watch import Seen

_WIDTH = 132
"""Characters of a line where nobody says how wide the page is."""
_DOORS = {Door.FORM: "REST", Door.BUNDLE: "REST", Door.BARS: "BaRS"}
_STYLES = {
    Ending.DELIVERED: "green",
    Ending.HELD: "yellow",
    Ending.REFUSED: "red",
    Ending.NOT_TAKEN: "red",
    Ending.REPEATED: "cyan",
    Ending.TAKEN_BACK: "cyan",
}


def console_for_results() -> Console:
    """Return where results go: stdout."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH, highlight=False)


def table_of(seen: Sequence[Seen]) -> Table:
    """Make the table of what became of each sample."""
    title = "What became of each sample (all people and organisations are invented)"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Sample", no_wrap=True)
    for name in ("Door", "HTTP", "Reference or code"):
        table.add_column(name, no_wrap=True)
    table.add_column("Ended", no_wrap=True)
    table.add_column("Why", overflow="fold")
    table.add_column("")
    for each in seen:
        table.add_row(
            each.sample.title,
            _DOORS[each.sample.door],
            str(each.status),
            each.reference or next(iter(each.codes), ""),
            _ended(each),
            Text(_why(each)),
            _verdict(each),
        )
    return table


def _ended(seen: Seen) -> Text:
    """Say how it ended."""
    ending = Ending.REPEATED if seen.sample.again and seen.is_as_expected else seen.ending
    if ending is None:
        return Text("no end in time", style="bold red")
    return Text("repeat" if ending is Ending.REPEATED else ending.value, style=_STYLES[ending])


def _why(seen: Seen) -> str:
    """Give the reason: a hold's code, or the first sentence of a refusal."""
    if seen.ending is Ending.DELIVERED and seen.sample.again:
        return "Same Location, nothing new there."
    if seen.ending is Ending.TAKEN_BACK:
        return f"{seen.sample.service.key} was told to stop"
    if seen.ending is Ending.DELIVERED:
        late = f", at attempt {seen.attempts}" if seen.attempts > 1 else ""
        return f"{seen.sample.service.key} has it{late}"
    if seen.reference and seen.codes:
        return seen.codes[0]
    first, stop, _ = seen.why.partition(". ")
    return f"{first}{stop.strip()}"


def _verdict(seen: Seen) -> Text:
    if seen.is_as_expected:
        return Text("✓", style="green")
    return Text("✗ " + "; ".join(seen.differences), style="bold red")


def how_to_take_part(demo: Demo) -> str:
    """Say where everything listens, and how to post by hand."""
    python, file = shlex.quote(sys.executable), shlex.quote(str(demo.folder / DESCRIPTION))
    first = demo.folder / SAMPLES_FOLDER / file_name(1, SAMPLES[0])
    message, headers = (shlex.quote(str(path)) for path in (first, first.with_suffix(".headers")))
    places = {
        "FHIR base": demo.base_url,
        "token endpoint": demo.token_url,
        **{each.key: f"{demo.neighbour_url(each.key)}/_received" for each in NEIGHBOURS},
        "described in": str(demo.folder / DESCRIPTION),
        "logs": str(demo.folder / "logs"),
    }
    return "\n".join(
        [
            "",
            *(f"{name:<18} {place}" for name, place in places.items()),
            "",
            "Without a token:",
            f"  curl {demo.base_url}/metadata",
            "With one (this posts the first sample again, which the gateway recognises):",
            f"  TOKEN=$({python} -m gateway.cli.demo.clients {file} {ACCOUNTS[0].id})",
            f'  curl -i -H "Authorization: Bearer $TOKEN" -H @{headers} \\',
            f"    --data-binary @{message} {demo.base_url}{SAMPLES[0].door.value}",
            "Gateway commands on this demo, after:",
            *(f"  export {name}={shlex.quote(value)}" for name, value in demo.settings.items()),
            "",
        ]
    )
