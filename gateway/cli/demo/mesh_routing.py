"""Where MESH brings a message: to a mailbox by its name, or to the practice of a person.

What enters: an address of `Mex-To` as MESH has it, upper case. What leaves: the id of a mailbox, or
the code with which MESH refuses. Must never: quote the address; it names a person. Sources: MESH
API, error codes; GP Connect, how to configure MESH: `GPPROVIDER_<number>_<YYYYMMDD>_<SURNAME>`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from gateway.cli.demo.mesh_config import MeshConfig, MeshMailbox
from gateway.referral.identifiers import NhsNumber

BY_PERSON: Final = "GPPROVIDER_"
UNREGISTERED_WORKFLOW: Final = "17"
_PARTS: Final = 3
_REASONS: Final = {
    "EPL-150": "ERROR_TOO_MANY_MAILBOX_MATCHES",
    "EPL-151": "ERROR_NO_MAILBOX_MATCHES",
    "EPL-152": "ERROR_INVALID_NHSNUMBER",
    "EPL-153": "ERROR_NHSNUMBER_NOT_FOUND",
    "EPL-154": "ERROR_NO_DEMOGRAPHICS_MATCH",
    "12": "Unregistered to address",
    UNREGISTERED_WORKFLOW: "Workflow ID not registered for mailbox",
}


class UnroutableError(Exception):
    """MESH does not know where to bring it; `code` is its own."""

    def __init__(self, code: str) -> None:
        super().__init__(_REASONS[code])
        self.code = code


class Register:
    """Who has which mailbox, registered for what. Workflows may change while MESH runs."""

    def __init__(self, config: MeshConfig) -> None:
        self._config = config
        self._persons = {each.number: each for each in config.persons}
        self._workflows: dict[str, frozenset[str]] = {}
        self.reset()

    def reset(self) -> None:
        """Register every mailbox for the workflows that it had at the start."""
        self._workflows = {each.id: each.workflows for each in self._config.all_mailboxes}

    def register(self, mailbox: str, workflows: Iterable[str]) -> None:
        """Register a mailbox for these workflows, and no others."""
        self._workflows[mailbox] = frozenset(workflows)

    def workflows_of(self, mailbox: str) -> frozenset[str]:
        """Return what a mailbox is registered to receive."""
        return self._workflows.get(mailbox, frozenset())

    def found_at(self, ods: str | None, workflow: str) -> Sequence[MeshMailbox]:
        """Find the mailboxes of an organisation, or of any, that receive in a workflow."""
        return [
            each
            for each in self._config.all_mailboxes
            if ods in (None, each.ods) and workflow in self.workflows_of(each.id)
        ]

    def route(self, address: str) -> str:
        """Return the mailbox that an address leads to.

        Raises:
            UnroutableError: it leads to none, or to several.
        """
        if not address.startswith(BY_PERSON):
            return address
        parts = address.removeprefix(BY_PERSON).split("_", _PARTS - 1)
        if len(parts) != _PARTS:
            raise UnroutableError("12")
        practice = self._practice_of(*parts)
        found = [each.mailbox.id for each in self._config.practices if each.mailbox.ods == practice]
        if len(found) != 1:
            raise UnroutableError("EPL-150" if found else "EPL-151")
        return found[0]

    def _practice_of(self, digits: str, born: str, family: str) -> str:
        try:
            number = NhsNumber(digits)
        except ValueError:
            raise UnroutableError("EPL-152") from None
        if not number.checks:
            raise UnroutableError("EPL-152")
        person = self._persons.get(number)
        if person is None:
            raise UnroutableError("EPL-153")
        if (born, family) != (person.birth_date.strftime("%Y%m%d"), person.family.upper()):
            raise UnroutableError("EPL-154")
        return person.practice
