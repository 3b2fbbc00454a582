"""How often and how long an origin is tried: the ends of each range, and what lies beyond."""

from pathlib import Path
from typing import Any

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.project.model import Treatment
from tests.unit.project.drafts import load_site

CUSTOM = {"OriginProtocolPolicy": "http-only"}


def rules_of(tmp_path: Path, origin: dict[str, Any]) -> set[str]:
    return {finding.rule for finding in load_site(tmp_path, origin=origin).findings}


@pytest.mark.rule("CDN-QUO-05")
@pytest.mark.parametrize(
    ("name", "ends", "beyond", "rule"),
    [
        ("ConnectionAttempts", (1, 3), (0, 4), "CDN-CFG-064"),
        ("ConnectionTimeout", (1, 10), (0, 11), "CDN-CFG-065"),
    ],
)
def test_connections(
    tmp_path: Path, name: str, ends: tuple[int, int], beyond: tuple[int, int], rule: str
) -> None:
    assert not any(rules_of(tmp_path, {name: value}) for value in ends)
    assert [rules_of(tmp_path, {name: value}) for value in beyond] == [{rule}] * 2


@pytest.mark.rule("CDN-QUO-06")
@pytest.mark.parametrize(
    ("name", "rule"),
    [("OriginReadTimeout", "CDN-CFG-073"), ("OriginKeepaliveTimeout", "CDN-CFG-074")],
)
def test_timeouts(tmp_path: Path, name: str, rule: str) -> None:
    found = {
        value: rules_of(tmp_path, {"CustomOriginConfig": {**CUSTOM, name: value}})
        for value in (0, 1, 120, 121)
    }
    assert found == {0: {rule}, 1: set(), 120: set(), 121: {rule}}


@pytest.mark.rule("CDN-CFG-075")
def test_the_address_type_is_known_and_reported(tmp_path: Path) -> None:
    for kind in ("ipv4", "ipv6", "dualstack"):
        config = {**CUSTOM, "IpAddressType": kind}
        lines = load_site(tmp_path, origin={"CustomOriginConfig": config}).project.report.lines
        (line,) = (each for each in lines if each.place.path.endswith("IpAddressType"))
        assert line.treatment is Treatment.APPROXIMATED
    with pytest.raises(DefinitionError, match="'ipv5' is not a value that AWS knows"):
        load_site(tmp_path, origin={"CustomOriginConfig": {**CUSTOM, "IpAddressType": "ipv5"}})
