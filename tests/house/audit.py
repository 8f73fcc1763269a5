"""Ask whether a locked package has a known vulnerability.

What leaves: exit status 0 if none has, or if the service could not be asked, which is said
plainly; 1 if one has. pip-audit alone says "none found" also where it could ask about nothing.

    python -m tests.house.audit requirements/dev.txt
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# A machine without a network answers in one of these ways; anything else is a fault of ours.
UNREACHABLE = (
    "ConnectionError",
    "Timeout",
    "timed out",
    "ServiceError",
    "HTTPError",
    "Max retries",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be said, and whether it is a failure."""

    text: str
    is_failure: bool = False


def judge(exit_status: int, report: str, complaints: str) -> Verdict:
    """Say what pip-audit's JSON report and its complaints amount to."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        if exit_status != 0 and any(word in complaints for word in UNREACHABLE):
            return Verdict(text="not checked: no network (the vulnerability service is away)")
        return Verdict(text=f"pip-audit failed:\n{complaints}", is_failure=True)
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    if found:
        return Verdict(text="\n".join(["known vulnerabilities:", *found]), is_failure=True)
    asked = [package["name"] for package in packages if "skip_reason" not in package]
    if not asked:
        return Verdict(text="not checked: the vulnerability service knew none of the packages")
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    also = f"; not checked: {', '.join(unknown)}" if unknown else ""
    return Verdict(text=f"no known vulnerability in {len(asked)} packages{also}")


def main(locks: Sequence[str]) -> int:
    named = [word for lock in locks for word in ("-r", lock)]
    command = ["--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json"]
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", *command, *named],
        capture_output=True,
        text=True,
        check=False,
    )
    verdict = judge(done.returncode, done.stdout, done.stderr)
    print(f"Audit of {', '.join(locks)}: {verdict.text}")
    return int(verdict.is_failure)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
