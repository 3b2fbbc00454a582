"""The table of countries holds all of ISO 3166-1."""

from edgeproxy.distribution.countries import COUNTRY_NAMES


def test_the_table_is_complete() -> None:
    assert len(COUNTRY_NAMES) == len(set(COUNTRY_NAMES.values())) == 249
    assert all(len(code) == 2 and code.isupper() for code in COUNTRY_NAMES)


def test_names_are_short() -> None:
    assert COUNTRY_NAMES["US"] == "United States"
    assert not any(name.endswith("(the)") for name in COUNTRY_NAMES.values())
