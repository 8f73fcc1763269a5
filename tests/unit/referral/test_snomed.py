"""Which codes are written as SNOMED CT identifiers."""

import pytest

from gateway.referral.snomed import is_sctid

GOOD = (
    "62247001",
    "33962009",
    "788007007",
    "408443003",
    "306152009",
    "138875005",
    "2140231000000104",
    "792891000000102",
    "1659111000000107",
    "1659121000000101",
)


@pytest.mark.parametrize("code", GOOD)
def test_a_published_code_is_an_identifier(code: str) -> None:
    assert is_sctid(code)


@pytest.mark.parametrize("code", GOOD)
def test_any_other_last_digit_is_wrong(code: str) -> None:
    others = [code[:-1] + digit for digit in "0123456789" if digit != code[-1]]
    assert not any(map(is_sctid, others))


@pytest.mark.parametrize("code", GOOD)
def test_two_neighbours_changed_over_are_noticed(code: str) -> None:
    for at in range(len(code) - 1):
        swapped = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
        assert swapped == code or not is_sctid(swapped)


@pytest.mark.parametrize("code", ["1659111000000100", "1659121000000100"])
def test_the_two_codes_that_a_spreadsheet_rounded_fail(code: str) -> None:
    assert not is_sctid(code)


@pytest.mark.parametrize(
    "code",
    ["", "0", "a", "10005", "062247001", "62247001 ", "6224700a1", "٦٢٢٤٧٠٠١", "1" * 19],
    ids=["empty", "zero", "letter", "short", "leading", "blank", "mixed", "arabic", "long"],
)
def test_what_is_not_written_as_one_fails(code: str) -> None:
    assert not is_sctid(code)


@pytest.mark.parametrize("code", ["62247092", "62247031", "1659111000000197"])
def test_a_partition_that_does_not_exist_fails(code: str) -> None:
    assert not is_sctid(code)


def test_partitions_are_judged_even_where_the_check_digit_is_right() -> None:
    with_every_last_digit = [f"622470{p}{d}" for p in ("03", "31", "93") for d in range(10)]
    assert not any(map(is_sctid, with_every_last_digit))
