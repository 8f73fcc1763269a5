"""`gateway demo`: start everything, post the samples, show what became of them.

Exit status: 0 if every sample ended as expected and, with `--once`, the ledger verifies and
every referral is in exactly one state; 1 otherwise.
"""

import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.cli.demo.acts import withdrawal_of
from gateway.cli.demo.folder import SAMPLES_FOLDER
from gateway.cli.demo.letters import bring_back, lines_of
from gateway.cli.demo.lists import events_of, is_whole
from gateway.cli.demo.processes import run_gateway, tail
from gateway.cli.demo.samples import SAMPLES, Ending
from gateway.cli.demo.setting import OH
from gateway.cli.demo.show import console_for_results, how_to_take_part, table_of
from gateway.cli.demo.start import Demo, start_demo
from gateway.cli.demo.watch import Seen, Walk, received_in_all
from gateway.referral.json import string

_LOOK_AGAIN = timedelta(milliseconds=500)
_CHECKS = (
    ("ledger", "verify"),
    ("ledger", "export", "exported"),
    ("ledger", "verify", "exported"),
    ("reconcile",),
)
"""The commands that prove what was done; files go into the demo's folder."""
_EXPLAINED = "another-provider"
"""The sample that `gateway consent explain` is shown with."""
_ANSWERED = "form"
"""The sample that its provider reports on: the practice has switched coded entries off."""
_RECALLED = "recalled"
"""The sample after which the withdrawal is shown that made a recall."""


def run_demo(folder: Path | None, *, once: bool) -> int:
    """Run the whole demo.

    1. Start gateway, worker and neighbours, in the folder or in one that is removed.
    2. Post every sample, follow each to its end, and show what became of them; ask the rules
       why one of them is held, and what became of what a withdrawal covers; let a provider
       answer one with a coded finding, and show what its practice received.
    3. Once: run the gateway's own checks. Otherwise: say where everything listens, and wait
       for Ctrl-C.
    4. Stop everything.

    Raises:
        SetupError: something did not start.
    """
    progress = Console(stderr=True, highlight=False)
    with ExitStack() as stack:
        stack.enter_context(_terminated_like_interrupted())
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-demo-")))
        try:
            demo = stack.enter_context(
                start_demo(folder, tell=lambda step: progress.print(f"starting: {step}"))
            )
            is_good = _walk_all(demo, progress)
            is_good = (_is_proved(demo) if once else _keep_running(demo, progress)) and is_good
        except KeyboardInterrupt:
            is_good = False
        progress.print("stopping")
    return 0 if is_good else 1


def _walk_all(demo: Demo, progress: Console) -> bool:
    """Step 2; tell whether all was as expected."""
    results = console_for_results()
    samples = demo.folder / SAMPLES_FOLDER
    samples.mkdir(exist_ok=True)
    before = received_in_all(demo)
    walk = Walk(demo, samples)
    seen = _follow_all(walk, progress)
    demo.describe(walk.files, walk.consents)
    results.print(table_of(seen, width=results.width))
    good = sum(each.is_as_expected for each in seen)
    results.print(f"{good} of {len(seen)} samples ended as expected")
    is_good = _is_tally_right(demo, before, seen, results) and good == len(seen)
    is_good = _is_list_whole(demo, results) and is_good
    is_good = _comes_back(demo, seen, results) and is_good
    held, recalled = (
        next(each for each in seen if each.sample.name == name) for name in (_EXPLAINED, _RECALLED)
    )
    asked = ("consent", "explain", held.reference or "")
    is_good = _is_shown(demo, *asked, about=f" ({held.sample.title})") and is_good
    withdrawn = ("withdrawal", "show", string(withdrawal_of(recalled.sample, demo), "id") or "")
    is_good = _is_shown(demo, *withdrawn, about=" (The consent withdrawn above)") and is_good
    if not is_good:
        for child in demo.children:
            progress.print(
                f"the end of {child.log}:\n{tail(child.log)}", markup=False, soft_wrap=True
            )
    return is_good


def _follow_all(walk: Walk, console: Console) -> Sequence[Seen]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("posting samples", total=len(SAMPLES))
        seen = []
        for each in walk.follow(SAMPLES):
            progress.update(task, advance=1, description=each.sample.title)
            seen.append(each)
        progress.update(task, description="all samples posted")
    return seen


def _is_tally_right(
    demo: Demo, before: Mapping[str, int], seen: Sequence[Seen], console: Console
) -> bool:
    """Compare what each neighbour got with what was delivered to it: none twice, none lost."""
    is_right = True
    for key, now in received_in_all(demo).items():
        delivered = sum(
            each.sample.expected.ending is Ending.DELIVERED and each.sample.service.key == key
            for each in seen
        )
        got = now - before[key]
        console.print(f"{key}: {got} new referrals, {delivered} expected")
        is_right = is_right and got == delivered
    return is_right


def _is_list_whole(demo: Demo, console: Console) -> bool:
    """Pull a provider's own list as it would, and see that no number is missing."""
    numbers = events_of(OH, demo)
    is_good = bool(numbers) and is_whole(numbers)
    which = f"numbers 1 to {len(numbers)}, none missing" if is_good else "numbers are missing"
    console.print(f"{OH.key}'s own list: {len(numbers)} events, {which}")
    return is_good


def _comes_back(demo: Demo, seen: Sequence[Seen], console: Console) -> bool:
    """Have a provider answer with a coded finding, and show what the practice received."""
    answered = next(each for each in seen if each.sample.name == _ANSWERED)
    back = bring_back(answered, demo)
    console.print("\n".join(lines_of(back, answered)), markup=False, soft_wrap=True)
    return back.is_as_expected


def _is_proved(demo: Demo) -> bool:
    """Run the gateway's own checks, and show what they say."""
    shown = [_is_shown(demo, *command) for command in _CHECKS]
    return all(shown)


def _is_shown(demo: Demo, *command: str, about: str = "") -> bool:
    """Run a gateway command, show what it says without blank lines; tell if it ended well."""
    console = console_for_results()
    result = run_gateway(*command, environment=demo.environment, folder=demo.folder)
    heading = f"\ngateway {' '.join(command)}{about}: exit status {result.returncode}"
    said = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
    console.print("\n".join([heading, *said]), markup=False, soft_wrap=True)
    return result.returncode == 0


def _keep_running(demo: Demo, progress: Console) -> bool:
    """Say how to take part, and wait for Ctrl-C; tell of a process that ends by itself."""
    console_for_results().print(how_to_take_part(demo), markup=False, soft_wrap=True)
    progress.print("running; Ctrl-C stops everything")
    try:
        while all(child.is_running for child in demo.children):
            time.sleep(_LOOK_AGAIN.total_seconds())
    except KeyboardInterrupt:
        return True
    for child in demo.children:
        if not child.is_running:
            progress.print(f"{child.name} ended:\n{tail(child.log)}", markup=False, soft_wrap=True)
    return False


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Take SIGTERM and SIGHUP for Ctrl-C, even where a shell had the demo ignore it."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
