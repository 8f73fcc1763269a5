import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidMessageError
from gateway.mapping.bulk_file import MOST_LINES, AgreementTo, SwitchTo, read_bulk_file

HEADER = "practice,what,name,value,effective_at,reason"
COLUMNS = f"{HEADER},confirmed_by"


def faults(text: str | bytes) -> list[str]:
    with pytest.raises(InvalidMessageError) as refused:
        read_bulk_file(text.encode() if isinstance(text, str) else text)
    return [f"{fault.expression}: {fault.diagnostics}" for fault in refused.value.faults]


def test_a_file_is_read_whatever_its_line_ends_blanks_and_order_of_columns() -> None:
    text = (
        "\ufeffWhat,Practice,Value,Name\r\n\r\n"
        "switch, g99001 ,OFF, update_record\r\n"
        'Agreement,G99001,Withdraw,"dsa-eval"\r\n,,,\r\n'
    )
    first, second = read_bulk_file(text.encode())
    assert (first.number, first.practice, first.effective_at, first.reason) == (
        3, "G99001", None, None,
    )  # fmt: skip
    assert isinstance(first.change, SwitchTo)
    assert (first.change.name, first.change.value) == ("update_record", "off")
    assert isinstance(second.change, AgreementTo)
    assert (second.change.name, second.change.value) == ("dsa-eval", "withdrawn")


def test_a_day_is_midnight_in_london_and_a_reason_may_hold_a_comma() -> None:
    line = 'G99001,switch,new_agreements,off,2026-07-01,"BMA, action 7"'
    (read,) = read_bulk_file(f"{HEADER}\n{line}\n".encode())
    assert read.effective_at is not None
    assert read.effective_at.isoformat() == "2026-06-30T23:00:00+00:00"
    assert read.reason == "BMA, action 7"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("G9!,switch,update_record,off,,", "an ODS code is 3 to 10 letters"),
        ("G99001,flag,update_record,off,,", "what is switch or agreement"),
        ("G99001,switch,update,off,,", "the name of a switch is one of secondary_sharing,"),
        ("G99001,switch,update_record,exclusive-withdrawn,,", "is one of on, off"),
        ("G99001,switch,secondary_sharing,no,,", "is one of on, off, exclusive-withdrawn"),
        ("G99001,agreement,dsa,sign,,", "one of withdraw, suspend, reinstate"),
        ("G99001,agreement,a b,withdraw,,", "an agreement id is 2 to 64"),
        ("G99001,switch,update_record,off,2026-12-01T09:00,", "with its offset"),
        ("G99001,switch,update_record,off,soon,", "write a day"),
        ("G99001,switch,update_record,off,,999 000 0018", "the reason holds what looks like"),
        ("G99001,switch,update_record,off,,\uff19\uff19\uff19.000.0018", "the reason holds what"),
        ("G99001,switch,update_record,off", "it has 4 cells and the header 6"),
        ("G99001,switch,update_record,off,,a,b", "put a cell that contains a comma in quotes"),
    ],
)
def test_a_line_that_is_wrong_is_named_with_its_number_and_never_quoted(
    line: str, fault: str
) -> None:
    (found,) = faults(f"{HEADER}\nG99002,switch,update_record,off,,\n{line}\n")
    assert found.startswith("line 3: ")
    assert fault in found
    assert "999" not in found


def test_all_faults_of_a_file_are_named_at_once() -> None:
    lines = ["!,flag,x,y,soon,", "G99001,switch,update_record,off,,", "G99001,switch"]
    found = faults("\n".join([HEADER, *lines]))
    assert [each.split(":")[0] for each in found] == ["line 2", "line 2", "line 2", "line 4"]


@pytest.mark.parametrize(
    "header",
    ["practice,what,name", "practice;what;name;value", "practice,what,name,value,value", "x",
     "practice,what,name,value,when"],
)  # fmt: skip
def test_a_header_that_is_wrong_is_refused_with_the_right_one(header: str) -> None:
    assert COLUMNS in faults(f"{header}\nG99001,switch,update_record,off\n")[0]


@pytest.mark.parametrize("text", ["", HEADER, f"{HEADER}\n\n,,,,,\n"])
def test_a_file_without_lines_is_refused(text: str) -> None:
    assert faults(text) == ["line 1: nothing follows the header, so there is nothing to apply"]


def test_a_file_that_is_not_utf_8_is_refused_at_its_line() -> None:
    body = f"{HEADER}\nG99001,switch,update_record,off,,m".encode() + b"\xe9\n"
    assert faults(body) == ["line 2: the file is not UTF-8: save it as CSV in UTF-8"]


def test_a_quote_that_is_not_closed_is_refused() -> None:
    assert "a quote that is not closed" in faults(f'{HEADER}\nG99001,"switch')[0]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("switch,update_record,off,,", "switch,update_record,on,,"),
        ("agreement,dsa,withdraw,2026-12-01,", "agreement,dsa,reinstate,2026-12-01T00:00:00Z,"),
    ],
)
def test_two_lines_that_contradict_each_other_are_refused(first: str, second: str) -> None:
    found = faults(f"{HEADER}\nG99001,{first}\nG99002,{first}\nG99001,{second}\n")
    assert found == ["line 4: it contradicts line 2: keep one of the two, or part their times"]


def test_a_line_twice_and_lines_at_other_times_contradict_nothing() -> None:
    lines = ["switch,update_record,off,,", "switch,update_record,off,,",
             "switch,update_record,on,2026-12-01,", "agreement,update_record,withdraw,,"]  # fmt: skip
    text = "\n".join([HEADER, *(f"G99001,{each}" for each in lines)])
    assert len(read_bulk_file(text.encode())) == 4


def test_a_line_may_say_on_whose_authority_it_reinstates() -> None:
    line = "G99001,agreement,dsa,reinstate,,,the partners"
    (read,) = read_bulk_file(f"{COLUMNS}\n{line}\n".encode())
    assert read.confirmed_by == "the partners"
    (number,) = faults(f"{COLUMNS}\nG99001,agreement,dsa,reinstate,,,999 000 0018\n")
    assert "the confirmed_by holds what looks like" in number
    (switch,) = faults(f"{COLUMNS}\nG99001,switch,update_record,off,,,the partners\n")
    assert "confirmed_by is for reinstating an agreement" in switch


def test_a_fault_says_its_line_once() -> None:
    with pytest.raises(InvalidMessageError) as refused:
        read_bulk_file(f"{HEADER}\nG99001,switch\n".encode())
    (fault,) = refused.value.faults
    assert fault.expression == "line 2"
    assert "line" not in fault.diagnostics


def test_empty_columns_at_the_end_are_taken_as_a_spreadsheet_writes_them() -> None:
    text = f"{HEADER},,\nG99001,switch,update_record,off,,,,\nG99002,switch,update_record,off,,,\n"
    assert len(read_bulk_file(text.encode())) == 2
    (full,) = faults(f"{HEADER},,\nG99001,switch,update_record,off,,,,x\n")
    assert "it has 8 cells" in full


def test_a_file_that_is_too_long_is_refused_for_that_alone() -> None:
    lines = "G99001,switch,update_record,off,,\n" * MOST_LINES
    assert len(read_bulk_file(f"{HEADER}\n{lines}".encode())) == MOST_LINES
    assert faults(f"{HEADER}\n!\n{lines}") == [
        "line 50002: the file has more than 50,000 changes: apply it in parts"
    ]


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_file_is_read_or_refused_with_a_line(text: str | bytes) -> None:
    body = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    told: list[str] = []
    try:
        read_bulk_file(body)
    except InvalidMessageError as refused:
        told = [str(fault.expression) for fault in refused.faults]
    assert all(each.startswith("line ") for each in told)
