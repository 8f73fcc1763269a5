"""The patients of the demo, all invented. Their NHS numbers are of the range set aside for tests."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An invented patient."""

    nhs: str
    given: str
    family: str
    gender: str
    born: str


IVY = Person(
    nhs="9995260182", given="Ivy", family="Quillfeather", gender="female", born="1984-03-09"
)
OTTO = Person(nhs="9991590838", given="Otto", family="Marrowby", gender="male", born="1971-11-23")
NELL = Person(
    nhs="9990166137", given="Nell", family="Thistlewick", gender="female", born="1990-06-02"
)
SAUL = Person(
    nhs="9991860916", given="Saul", family="Pemberfield", gender="male", born="1966-01-17"
)
WREN = Person(nhs="9993909963", given="Wren", family="Oakapple", gender="other", born="1998-08-30")
ADA = Person(
    nhs="9990308241", given="Ada", family="Brindlecombe", gender="female", born="1979-04-12"
)
HUGO = Person(
    nhs="9996281949", given="Hugo", family="Larkspurson", gender="male", born="1988-12-05"
)
MAUD = Person(
    nhs="9998219930", given="Maud", family="Hollowell-Finch", gender="female", born="1959-09-21"
)
TEDDY = Person(
    nhs="9995181908", given="Teddy", family="Cobblepot-Reed", gender="male", born="1993-02-14"
)
PEARL = Person(
    nhs="9992319488", given="Pearl", family="Snowberry", gender="female", born="1982-10-08"
)
AMOS = Person(nhs="9997574915", given="Amos", family="Wetherlamb", gender="male", born="1975-07-27")
EDIE = Person(
    nhs="9991862528", given="Edie", family="Fennelworth", gender="female", born="1996-05-19"
)
REX = Person(
    nhs="9997601890", given="Rex", family="Applegarth-Moss", gender="male", born="1969-03-31"
)
IRIS = Person(
    nhs="9999836909", given="Iris", family="Underbridge", gender="female", born="1987-07-15"
)
VERA = Person(
    nhs="9994533312", given="Vera", family="Nightjar-Cole", gender="female", born="1991-01-26"
)
JONAH = Person(
    nhs="9994789325", given="Jonah", family="Bramblewick", gender="male", born="1980-10-31"
)
LOTTIE = Person(
    nhs="9998804078", given="Lottie", family="Copperfern", gender="female", born="1973-06-15"
)
