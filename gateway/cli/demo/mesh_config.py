"""Who has a mailbox in the simulated MESH, what for, and who is registered at which practice.

What enters: a JSON file, or values. What leaves: values, or the same file::

    {"shared_key": "TestKey",
     "mailboxes": [{"id": "GATEWAY1", "ods": "8Z99A", "name": "Us", "password": "password",
                    "workflows": ["GPCONNECT_SEND_DOCUMENT_ACK"]}],
     "practices": [{"id": "A81001GP1", "ods": "A81001", "name": "Brook Surgery",
                    "password": "password", "workflows": ["GPCONNECT_SEND_DOCUMENT"],
                    "manner": "accepts"}],
     "persons": [{"nhs_number": "9990000018", "birth_date": "1980-02-03", "family": "Avery",
                  "practice": "A81001"}]}

`workflows` are those that a mailbox is registered to receive. Must never: hold a person who may
be real; NHS numbers are of the 999 range.
"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from gateway.cli.demo.practice_manners import Manners
from gateway.errors import InvalidMessageError, SetupError
from gateway.fhir.json_text import read_json, write_json
from gateway.referral.identifiers import NhsNumber, OdsCode
from gateway.referral.json import Json, JsonObject, objects, string, strings

_TEST_RANGE = "999"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshMailbox:
    """One mailbox, and the workflows in which it is registered to receive."""

    id: str
    ods: OdsCode
    name: str
    password: str = field(repr=False)
    workflows: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPractice:
    """A practice's mailbox, and how the practice's system behaves at first."""

    mailbox: MeshMailbox
    manners: Manners = field(default_factory=Manners)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPerson:
    """An invented person, as the demographics service holds them; `practice` is its ODS code."""

    number: NhsNumber = field(repr=False)
    birth_date: date = field(repr=False)
    family: str = field(repr=False)
    practice: OdsCode


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshConfig:
    """All that the simulated MESH knows at its start."""

    shared_key: str = field(repr=False)
    mailboxes: tuple[MeshMailbox, ...] = ()
    practices: tuple[MeshPractice, ...] = ()
    persons: tuple[MeshPerson, ...] = ()

    @property
    def all_mailboxes(self) -> tuple[MeshMailbox, ...]:
        """Every mailbox, those of practices last."""
        return (*self.mailboxes, *(each.mailbox for each in self.practices))

    def persons_of(self, ods: OdsCode) -> frozenset[NhsNumber]:
        """Return the numbers of those who are registered at a practice."""
        return frozenset(each.number for each in self.persons if each.practice == ods)


def read_config(path: Path) -> MeshConfig:
    """Read a configuration.

    Raises:
        SetupError: the file cannot be read, or names something that is not so.
    """
    try:
        tree = read_json(path.read_bytes())
        config = MeshConfig(
            shared_key=_text(tree, "shared_key"),
            mailboxes=tuple(_mailbox(each) for each in objects(tree, "mailboxes")),
            practices=tuple(_practice(each) for each in objects(tree, "practices")),
            persons=tuple(_person(each) for each in objects(tree, "persons")),
        )
        names = [each.id for each in config.all_mailboxes]
        if len(set(names)) != len(names):
            raise ValueError("two mailboxes have the same id")  # noqa: TRY301  # told with the file
    except OSError:
        msg = f"{path} cannot be read"
        raise SetupError(msg) from None
    except (InvalidMessageError, ValueError) as error:
        msg = f"{path} is no configuration of the simulated MESH: {error}"
        raise SetupError(msg) from None
    return config


def write_config(config: MeshConfig, path: Path) -> None:
    """Write a configuration for `read_config`."""
    tree: JsonObject = {
        "shared_key": config.shared_key,
        "mailboxes": [_shown(each) for each in config.mailboxes],
        "practices": [
            {**_shown(each.mailbox), "manner": each.manners.word} for each in config.practices
        ],
        "persons": [
            {
                "nhs_number": each.number,
                "birth_date": each.birth_date.isoformat(),
                "family": each.family,
                "practice": each.practice,
            }
            for each in config.persons
        ],
    }
    path.write_bytes(write_json(tree))


def _shown(mailbox: MeshMailbox) -> dict[str, Json]:
    return {
        "id": mailbox.id,
        "ods": mailbox.ods,
        "name": mailbox.name,
        "password": mailbox.password,
        "workflows": list[Json](sorted(mailbox.workflows)),
    }


def _mailbox(tree: JsonObject) -> MeshMailbox:
    name = _text(tree, "id")
    if name != name.upper() or not name.isalnum():
        raise ValueError("the id of a mailbox is upper-case letters and digits")
    return MeshMailbox(
        id=name,
        ods=OdsCode(_text(tree, "ods")),
        name=_text(tree, "name"),
        password=_text(tree, "password"),
        workflows=frozenset(strings(tree, "workflows")),
    )


def _practice(tree: JsonObject) -> MeshPractice:
    manners = Manners(string(tree, "manner") or Manners().word)
    return MeshPractice(mailbox=_mailbox(tree), manners=manners)


def _person(tree: JsonObject) -> MeshPerson:
    number = NhsNumber(_text(tree, "nhs_number"))
    if not number.startswith(_TEST_RANGE) or not number.checks:
        raise ValueError("an NHS number is of the 999 range, and its last digit checks")
    return MeshPerson(
        number=number,
        birth_date=date.fromisoformat(_text(tree, "birth_date")),
        family=_text(tree, "family"),
        practice=OdsCode(_text(tree, "practice")),
    )


def _text(tree: JsonObject, name: str) -> str:
    found = string(tree, name)
    if not found:
        msg = f"{name} is missing"
        raise ValueError(msg)
    return found
