"""The simulated MESH of the demo: who has a mailbox, and how it is started.

What enters: the demo's folder. What leaves: the configuration of MESH, the secrets by which the
gateway gets into its own mailbox, and the words that start it. The practices' systems take
documents and no coded entries; every person of the demo is at the first practice.
"""

from datetime import date
from pathlib import Path

from gateway.cli.certs import CA_FILE, SERVER_FILE, SERVER_KEY_FILE
from gateway.cli.demo import people
from gateway.cli.demo.folder import CERTIFICATES, CREDENTIALS
from gateway.cli.demo.mesh_config import (
    MeshConfig,
    MeshMailbox,
    MeshPerson,
    MeshPractice,
    write_config,
)
from gateway.cli.demo.practice_manners import Manners
from gateway.cli.demo.setting import LETTERS_MAILBOX, MESH, OUR_ODS, PRACTICES, mailbox_of
from gateway.referral.identifiers import NhsNumber, OdsCode

_PASSWORD, _SHARED_KEY = "password", "TestKey"  # of a sandbox on this machine
_DOCUMENT, _CODES = "GPCONNECT_SEND_DOCUMENT", "GPCONNECT_UPDATE_RECORD"


def furnish_mesh(folder: Path) -> None:
    """Write who has a mailbox, and the secrets by which the gateway gets into its own."""
    mesh = folder / MESH
    mesh.mkdir(exist_ok=True)
    write_config(_config(), mesh / "mesh.json")
    credentials = folder / CREDENTIALS
    credentials.mkdir(mode=0o700, exist_ok=True)
    (credentials / "mesh-password").write_text(f"{_PASSWORD}\n")
    (credentials / "mesh-key").write_text(f"{_SHARED_KEY}\n")


def mesh_arguments(folder: Path, port: int) -> list[str]:
    """Say how the simulated MESH is started."""
    certificates, mesh = folder / CERTIFICATES, folder / MESH
    arguments = {
        "--port": str(port),
        "--config": str(mesh / "mesh.json"),
        "--folder": str(mesh),
        "--cert": str(certificates / SERVER_FILE),
        "--key": str(certificates / SERVER_KEY_FILE),
        "--ca": str(certificates / CA_FILE),
    }
    return [word for pair in arguments.items() for word in pair]


def _config() -> MeshConfig:
    everyone = [each for each in vars(people).values() if isinstance(each, people.Person)]
    return MeshConfig(
        shared_key=_SHARED_KEY,
        mailboxes=(
            MeshMailbox(
                id=LETTERS_MAILBOX,
                ods=OdsCode(OUR_ODS),
                name="The gateway",
                password=_PASSWORD,
                workflows=frozenset({f"{_DOCUMENT}_ACK", f"{_CODES}_ACK"}),
            ),
        ),
        practices=tuple(
            MeshPractice(
                mailbox=MeshMailbox(
                    id=mailbox_of(each),
                    ods=OdsCode(each.ods),
                    name=each.name,
                    password=_PASSWORD,
                    workflows=frozenset({_DOCUMENT, _CODES}),
                ),
                manners=Manners("switched-off"),
            )
            for each in PRACTICES
        ),
        persons=tuple(
            MeshPerson(
                number=NhsNumber(each.nhs),
                birth_date=date.fromisoformat(each.born),
                family=each.family,
                practice=OdsCode(PRACTICES[0].ods),
            )
            for each in everyone
        ),
    )
