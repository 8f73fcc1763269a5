"""What leaves the whole gateway for a practice, read as bytes: no code of an OH provider's.

The practice has switched coded entries on, so that nothing but the table stops them.
"""

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.builders.embedded import embedded_house
from tests.builders.evidence import work
from tests.builders.house import House
from tests.builders.outcomes import document_reference
from tests.builders.returning import CODED, brought, report, say, with_letters
from tests.properties.outbound_cases import KINDS, clinical, coding, data_files
from tests.properties.outbound_reader import read_outbound

resources = st.sampled_from(KINDS).map(clinical)
extensions: st.SearchStrategy[dict[str, Any]] = st.just(
    {"extension": [{"url": "https://x.example", "valueCoding": coding()}]}
)
outcomes: st.SearchStrategy[dict[str, Any]] = st.one_of(
    resources.map(report),
    resources.map(lambda each: report(document_reference() | {"id": "second", "contained": [each]})),
    data_files.map(
        lambda each: report(
            {"id": "second"} | document_reference(content=[{"attachment": each}])
        )
    ),
    extensions.map(lambda each: report(**each)),
    resources.map(lambda each: report(note=[{"text": str(each)}])),
)  # fmt: skip


def test_nothing_that_leaves_for_a_practice_holds_a_code_of_an_oh_provider(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        mesh = with_letters(house)
        _take_codes(house)
        taken = [0]

        @settings(
            max_examples=20,
            database=None,
            derandomize=True,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(outcome=outcomes)
        def check(outcome: dict[str, Any]) -> None:
            _, task = brought(house)
            answer = say(house, task, **outcome)
            assert answer.status_code in (200, 202, 400, 403, 422), answer.get_data(as_text=True)
            taken[0] += answer.status_code in (200, 202)
            before = len(mesh.sent)
            work(house)
            for parcel in mesh.sent[before:]:
                reading = read_outbound(parcel.body)
                assert (reading.is_record, reading.findings) == (False, ())

        check()
        _, task = brought(house)
        assert say(house, task, **report(CODED)).status_code == 202
        work(house)
        assert taken[0] >= 5
        assert read_outbound(mesh.sent[-1].body).findings == ()


def _take_codes(house: House) -> None:
    on = {"send_document": "on", "update_record": "on"}
    house.apply(practices=[each | {"switches": on} for each in house.directory["practices"]])
