"""What the demo shows: the table on stdout, and how to take part."""

import shlex
import shutil
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.demo.folder import DESCRIPTION, SAMPLES_FOLDER
from gateway.cli.demo.samples import SAMPLES, Act, Door, Ending, file_name
from gateway.cli.demo.setting import ACCOUNTS, NEIGHBOURS
from gateway.cli.demo.start import SHARING_BASE, Demo
from gateway.cli.demo.watch import Seen

_PAGE = (132, 24)
"""Characters of a line, and lines, where nobody says how large the page is."""
_WIDE = 120
"""Characters at which the table needs no folding but of its reasons."""
_COLUMNS = {
    "Sample": 18,
    "Door": None,
    "HTTP": None,
    "Reference or code": 13,
    "Ended": None,
    "Why": 15,
    "": None,
}
"""The columns, with the share of a narrow page that those have which fold."""
_DOORS = {Door.FORM: "REST", Door.BUNDLE: "REST", Door.BARS: "BaRS"}
_STYLES = {
    Ending.DELIVERED: "green",
    Ending.HELD: "yellow",
    Ending.REFUSED: "red",
    Ending.NOT_TAKEN: "red",
    Ending.REPEATED: "cyan",
    Ending.TAKEN_BACK: "cyan",
    Ending.CLOSED: "red",
}


def console_for_results() -> Console:
    """Return where results go: stdout, as wide as COLUMNS or the terminal says."""
    width = shutil.get_terminal_size(_PAGE).columns
    return Console(file=sys.stdout, width=width, highlight=False)


def table_of(seen: Sequence[Seen], *, width: int = _PAGE[0]) -> Table:
    """Make the table of what became of each sample; on a narrow page its longer columns fold."""
    title = "What became of each sample (all people and organisations are invented)"
    is_wide = width >= _WIDE
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        expand=not is_wide,
    )
    for name, share in _COLUMNS.items():
        folds = name == "Why" or (share is not None and not is_wide)
        ratio = None if is_wide else share
        table.add_column(name, no_wrap=not folds, overflow="fold", ratio=ratio)
    for each in seen:
        table.add_row(
            each.sample.title,
            _DOORS[each.sample.door],
            str(each.status),
            each.reference or next(iter(each.codes), ""),
            _ended(each),
            _told(each),
            Text("✓", style="green") if each.is_as_expected else Text("✗", style="bold red"),
        )
    return table


def _ended(seen: Seen) -> Text:
    """Say how it ended."""
    ending = Ending.REPEATED if seen.sample.again and seen.is_as_expected else seen.ending
    if ending is None:
        return Text("no end in time", style="bold red")
    return Text("repeat" if ending is Ending.REPEATED else ending.value, style=_STYLES[ending])


def _told(seen: Seen) -> Text:
    """Say in which ways it did not end as expected, then why it ended so."""
    if seen.is_as_expected:
        return Text(_why(seen))
    return Text.assemble((f"✗ {'; '.join(seen.differences)}. ", "bold red"), _why(seen))


def _why(seen: Seen) -> str:
    """Give the reason: a hold's code, or the first sentence of a refusal."""
    if seen.ending is Ending.DELIVERED and seen.sample.again:
        return "Same Location, nothing new there."
    if seen.ending is Ending.TAKEN_BACK:
        return f"{seen.sample.service.key} was told to stop"
    if seen.ending is Ending.DELIVERED:
        late = f", at attempt {seen.attempts}" if seen.attempts > 1 else ""
        what = "all but that part" if seen.sample.withholds and seen.is_as_expected else "it"
        return f"{seen.sample.service.key} has {what}{late}"
    if seen.reference and seen.codes:
        return seen.codes[0]
    first, stop, _ = seen.why.partition(". ")
    is_told = seen.sample.before is Act.WITHDRAW_AGREEMENT and seen.is_as_expected
    return f"{first}{stop.strip()}" + (" A letter tells the ICB." if is_told else "")


def how_to_take_part(demo: Demo) -> str:
    """Say where everything listens, and how to post by hand."""
    python, file = shlex.quote(sys.executable), shlex.quote(str(demo.folder / DESCRIPTION))
    first = demo.folder / SAMPLES_FOLDER / file_name(1, SAMPLES[0])
    message, headers = (shlex.quote(str(path)) for path in (first, first.with_suffix(".headers")))
    places = {
        "FHIR base": demo.base_url,
        "token endpoint": demo.token_url,
        "sharing": f"{demo.root_url}{SHARING_BASE}",
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
            "Gateway commands on this demo, such as notice list or agreement list G99002, after:",
            *(f"  export {name}={shlex.quote(value)}" for name, value in demo.settings.items()),
            "",
        ]
    )
