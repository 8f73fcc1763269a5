"""The words for outcomes are those of `mappings/outcomes`, both ways, and nothing is guessed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigError, InvalidMessageError, IssueCode
from gateway.fhir.json_text import read_json
from gateway.fhir.validate import validate
from gateway.mapping.outcome_maps import Equivalence
from gateway.mapping.outcome_terms import (
    BARS_REASONS,
    DOS_REASONS,
    BarsWords,
    Coded,
    TaskWords,
    equivalence_of,
    from_bars,
    from_itk3,
    from_task,
    legal_after,
    load_outcome_maps,
    to_bars,
    to_itk3,
    to_task,
)
from gateway.referral.outcome import MOVES, OutcomeKind
from tests.builders.outcomes import CANARY

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "mappings" / "outcomes"
MAPS = sorted(path.stem for path in FOLDER.glob("*.json"))
K = OutcomeKind
Tree = dict[str, Any]


def tree_of(name: str) -> Tree:
    tree: Tree = json.loads((FOLDER / f"{name}.json").read_bytes())
    return tree


def elements(tree: Tree) -> list[Tree]:
    return [element for group in tree["group"] for element in group["element"]]


@pytest.mark.parametrize("name", MAPS)
def test_each_map_is_right_by_r4_and_named_as_its_file(name: str) -> None:
    tree = read_json((FOLDER / f"{name}.json").read_bytes())
    assert validate(tree) == []
    assert tree["id"] == name


@pytest.mark.parametrize("kind", OutcomeKind)
@pytest.mark.parametrize("vocabulary", ["itk3", "bars", "task"])
def test_each_kind_comes_back_as_far_as_its_map_declares(
    kind: OutcomeKind, vocabulary: str
) -> None:
    back = _there_and_back(kind, vocabulary)
    match equivalence_of(kind, vocabulary):
        case Equivalence.EQUIVALENT:
            assert back is kind
        case Equivalence.UNMATCHED:
            assert back is None
        case _:
            told = [e for e in elements(tree_of(f"outcome-to-{vocabulary}")) if e["code"] == kind]
            assert f"the way back gives {back}" in told[0]["target"][0]["comment"]


def _there_and_back(kind: OutcomeKind, vocabulary: str) -> OutcomeKind | None:
    if vocabulary == "itk3":
        code = to_itk3(kind)
        return from_itk3(code).kind if code else None
    if vocabulary == "bars":
        words = to_bars(kind)
        return from_bars(words).kind if words else None
    said = to_task(kind)
    return from_task(said.status, said.business_status).kind


def test_a_task_says_every_kind_and_loses_nothing() -> None:
    assert {equivalence_of(kind, "task") for kind in K} == {Equivalence.EQUIVALENT}
    assert to_task(K.BOOKED) == TaskWords(status="in-progress", business_status="booked")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("30005", K.ACCEPTED), ("30006", K.CLOSED), ("30007", K.CLOSED), ("30008", K.CLOSED),
        ("30009", K.CLOSED), ("30010", K.CLOSED), ("30011", K.CLOSED),
        ("30012", K.COULD_NOT_CONTACT), ("30013", K.CLOSED), ("30014", K.CLOSED),
        ("30015", K.CLOSED), ("30016", K.ACCEPTED), ("30017", K.REJECTED),
        ("30018", K.DID_NOT_ATTEND),
    ],
)  # fmt: skip
def test_each_itk3_code_of_a_referrals_status_has_a_kind(code: str, kind: OutcomeKind) -> None:
    assert from_itk3(code).kind is kind


@pytest.mark.parametrize("code", ["30004", "30019", "20013", "", "30016 ", CANARY])
def test_another_itk3_code_is_refused_with_those_that_are_known(code: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        from_itk3(code)
    [fault] = caught.value.faults
    assert fault.code is IssueCode.CODE_INVALID
    assert "30005, 30006" in fault.diagnostics
    assert CANARY not in fault.diagnostics


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (BarsWords(request="revoked"), K.DID_NOT_ATTEND),
        (BarsWords(request="revoked", encounter="planned"), K.DID_NOT_ATTEND),
        (BarsWords(request="active", encounter="planned"), K.ACCEPTED),
        (BarsWords(request="active", encounter="planned", appointment="booked"), K.BOOKED),
        (BarsWords(request="active", encounter="planned", appointment="pending"), K.ACCEPTED),
        (BarsWords(request="active", encounter="in-progress"), K.ACCEPTED),
        (BarsWords(request="active", encounter="finished"), K.CLOSED),
        (BarsWords(request="active", encounter="cancelled"), K.REJECTED),
    ],
)
def test_a_bars_response_says_a_kind_by_its_statuses(words: BarsWords, kind: OutcomeKind) -> None:
    assert from_bars(words).kind is kind


@pytest.mark.parametrize("name", ["rejected-reasons-bars", "dos-rejected-reasons-bars"])
def test_every_reason_that_we_publish_is_understood(name: str) -> None:
    file = ROOT / "fhir_profiles" / "terminology" / f"CodeSystem-{name}.json"
    listed = json.loads(file.read_bytes())
    for concept in listed["concept"]:
        words = _cancelled(Coded(listed["url"], concept["code"]))
        wanted = K.COULD_NOT_CONTACT if concept["code"] == "FC" else K.REJECTED
        assert from_bars(words).kind is wanted


def _cancelled(reason: Coded) -> BarsWords:
    return BarsWords(request="active", encounter="cancelled", reason=reason)


def test_an_unknown_reason_of_a_bars_list_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidMessageError, match="Understood are: FC, OTH, RRNA") as caught:
        from_bars(_cancelled(Coded(BARS_REASONS, CANARY)), "Encounter.reasonCode")
    assert CANARY not in str(caught.value)
    assert caught.value.faults[0].expression == "Encounter.reasonCode"


def test_a_reason_of_a_foreign_list_changes_nothing() -> None:
    assert from_bars(_cancelled(Coded("https://oh.example/why", "FC"))).kind is K.REJECTED


@pytest.mark.parametrize(
    "words",
    [
        BarsWords(request="active"),
        BarsWords(request="active", encounter="triaged"),
        BarsWords(request="active", encounter="entered-in-error"),
        BarsWords(request="completed", encounter="finished"),
        BarsWords(request="", encounter="planned"),
    ],
)
def test_statuses_that_say_nothing_are_refused(words: BarsWords) -> None:
    with pytest.raises(InvalidMessageError, match="cancelled, finished, in-progress, planned"):
        from_bars(words)


@pytest.mark.parametrize(
    ("kind", "reason", "kept"),
    [
        (K.REJECTED, Coded(DOS_REASONS, "22"), Coded(DOS_REASONS, "22")),
        (K.REJECTED, Coded(BARS_REASONS, "RRNA"), Coded(BARS_REASONS, "RRNA")),
        (K.REJECTED, Coded(BARS_REASONS, "FC"), Coded(BARS_REASONS, "OTH")),
        (K.REJECTED, Coded(DOS_REASONS, "unheard"), Coded(BARS_REASONS, "OTH")),
        (K.REJECTED, Coded("https://oh.example/why", "22"), Coded(BARS_REASONS, "OTH")),
        (K.COULD_NOT_CONTACT, Coded(DOS_REASONS, "22"), Coded(BARS_REASONS, "FC")),
        (K.ACCEPTED, Coded(DOS_REASONS, "22"), None),
    ],
)
def test_a_reason_is_kept_on_the_way_to_bars_where_it_means_the_same(
    kind: OutcomeKind, reason: Coded, kept: Coded | None
) -> None:
    words = to_bars(kind, reason)
    assert words is not None
    assert words.reason == kept
    assert from_bars(words).kind is kind


@pytest.mark.parametrize("kind", [K.REPORT, K.MORE_INFORMATION])
def test_bars_has_no_words_for_a_report_or_a_question(kind: OutcomeKind) -> None:
    assert to_bars(kind) is None


@pytest.mark.parametrize(
    ("status", "has_document", "kind"),
    [
        ("accepted", True, K.ACCEPTED), ("in-progress", False, K.ACCEPTED),
        ("in-progress", True, K.REPORT), ("rejected", False, K.REJECTED),
        ("completed", False, K.CLOSED), ("cancelled", False, K.CLOSED), ("failed", True, K.CLOSED),
    ],
)  # fmt: skip
def test_a_status_alone_says_a_kind(*, status: str, has_document: bool, kind: OutcomeKind) -> None:
    assert from_task(status, has_document=has_document).kind is kind


@pytest.mark.parametrize(
    ("status", "business", "where", "says"),
    [
        ("on-hold", None, "Task.businessStatus", "did-not-attend, more-information"),
        ("received", None, "Task.status", "accepted, cancelled, completed"),
        ("received", "accepted", "Task.businessStatus", "does not go with"),
        ("draft", None, "Task.status", "rejected."),
        (CANARY, "accepted", "Task.status", "rejected."),
        ("rejected", "accepted", "Task.businessStatus", "Understood are: rejected."),
        ("completed", CANARY, "Task.businessStatus", "closed, report"),
    ],
)
def test_a_task_that_says_nothing_or_two_things_is_refused(
    status: str, business: str | None, where: str, says: str
) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        from_task(status, business)
    [fault] = caught.value.faults
    assert (fault.code, fault.expression) == (IssueCode.CODE_INVALID, where)
    assert says in fault.diagnostics
    assert CANARY not in fault.diagnostics


@pytest.mark.parametrize("last", [None, *OutcomeKind])
def test_what_may_follow_is_listed_whole(last: OutcomeKind | None) -> None:
    listed = legal_after(last)
    assert set(listed.split(", ")) == ({each.value for each in MOVES[last]} or {"nothing more"})


def test_our_kinds_are_those_of_the_code_system() -> None:
    file = ROOT / "fhir_profiles" / "terminology" / "CodeSystem-outcome-kind.json"
    listed = [concept["code"] for concept in json.loads(file.read_bytes())["concept"]]
    assert listed == [kind.value for kind in OutcomeKind]


def test_the_readme_names_every_map() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in MAPS if f"`{name}.json`" not in text] == []


def first(tree: Tree) -> Tree:
    found: Tree = elements(tree)[0]
    return found


BROKEN: dict[str, tuple[str, Callable[[Tree], object], str]] = {
    "two targets for one source": (
        "outcome-to-itk3",
        lambda t: first(t)["target"].append(dict(first(t)["target"][0])),
        "two targets under the same conditions",
    ),
    "one source twice": (
        "outcome-to-itk3",
        lambda t: t["group"][0]["element"].append(first(t)),
        "two targets under the same conditions",
    ),
    "unknown source": ("itk3-to-outcome", lambda t: first(t).update(code="30019"), "not known"),
    "missing source": (
        "itk3-to-outcome",
        lambda t: t["group"][0]["element"].pop(),
        "the source 30018 is missing",
    ),
    "unknown target": (
        "outcome-to-task",
        lambda t: first(t)["target"][0].update(code="ready"),
        "the target ready of accepted is not known",
    ),
    "unmatched with a code": (
        "outcome-to-itk3",
        lambda t: first(t)["target"][0].update(equivalence="unmatched", comment="Why"),
        "if, and only if",
    ),
    "matched without a code": (
        "outcome-to-itk3",
        lambda t: first(t)["target"][0].pop("code"),
        "if, and only if",
    ),
    "a loss that is not told": (
        "itk3-to-outcome",
        lambda t: first(t)["target"][0].pop("comment"),
        "no comment says what is lost",
    ),
    "unknown relation": (
        "bars-to-outcome",
        lambda t: first(t)["target"][0].update(equivalence="relatedto"),
        "missing or broken",
    ),
    "unknown property": (
        "task-to-outcome",
        lambda t: elements(t)[1]["target"][1]["dependsOn"][0].update(property="http://a.example"),
        "none that is known here",
    ),
}


@pytest.mark.parametrize("defect", BROKEN)
def test_a_wrong_map_is_refused_by_name(defect: str, tmp_path: Path) -> None:
    name, spoil, says = BROKEN[defect]
    folder = tmp_path / "outcomes"
    shutil.copytree(FOLDER, folder)
    tree = tree_of(name)
    spoil(tree)
    (folder / f"{name}.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(ConfigError, match=says) as caught:
        load_outcome_maps(folder)
    assert f"{name}.json" in str(caught.value)


def test_a_missing_map_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"outcome-to-itk3\.json is missing or broken"):
        load_outcome_maps(tmp_path)


def test_the_maps_that_come_with_the_program_load() -> None:
    assert sorted(load_outcome_maps()) == MAPS
