"""Everything that we ship with has a licence that lets people use the gateway freely."""

import re
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# SPDX identifiers that ask for no more than a notice.
FREE = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "PSF-2.0",
        "Unlicense",
        "Zlib",
    }
)
LONGEST_NAME = 40  # what is longer is the licence's text

# Names that packages use for the same, where they give no SPDX expression.
ALIASES = {
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD license": "BSD-3-Clause",
    "MIT License": "MIT",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
# Weaker freedoms, taken with open eyes: name, licence, and why it does not bind our users.
EXCEPTIONS: dict[str, str] = {
    "psycopg": "LGPL-3.0-only",  # imported, not modified; whoever has ours can swap theirs
    "psycopg-binary": "LGPL-3.0-only",  # as psycopg
    "certifi": "MPL-2.0",  # a list of certificates, unmodified
}


def runtime_packages() -> list[str]:
    """Name what the runtime lock holds for this platform."""
    text = (ROOT / "requirements/runtime.txt").read_text(encoding="utf-8")
    names = re.findall(r"^([a-z0-9.-]+)==", text, re.MULTILINE)
    here = {
        each.name.lower().replace("_", "-").replace(".", "-") for each in metadata.distributions()
    }
    return [name for name in names if name in here]


def licences_of(name: str) -> list[set[str]]:
    """Return the choices that a package offers, each a set of SPDX identifiers or its own words."""
    about = metadata.metadata(name)
    stated = (about.get_all("License-Expression") or about.get_all("License") or [""])[0]
    if not stated or len(stated) > LONGEST_NAME or stated == "UNKNOWN":
        classifiers = about.get_all("Classifier") or []
        names = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License ::")]
        stated = " AND ".join(names)
    return [
        {ALIASES.get(part.strip(" ()"), part.strip(" ()")) for part in choice.split(" AND ")}
        for choice in stated.split(" OR ")
    ]


def is_free(choices: list[set[str]], exception: str | None = None) -> bool:
    return any(choice <= FREE | {exception} for choice in choices)


def test_most_of_the_runtime_lock_is_installed() -> None:
    assert len(runtime_packages()) > 20


@pytest.mark.parametrize("name", runtime_packages())
def test_licence_is_free(name: str) -> None:
    assert is_free(licences_of(name), EXCEPTIONS.get(name)), licences_of(name)


def test_every_exception_is_still_needed() -> None:
    assert [name for name in EXCEPTIONS if is_free(licences_of(name))] == []


@pytest.mark.parametrize("choices", [[{"GPL-3.0-only"}], [{""}], [{"MIT", "AGPL-3.0-only"}]])
def test_a_licence_that_binds_is_noticed(choices: list[set[str]]) -> None:
    assert not is_free(choices)
