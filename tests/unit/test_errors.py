"""An error is one line that says where, what, which rule and what to do."""

from pathlib import Path

import pytest

from edgeproxy.errors import DefinitionError, EdgeproxyError, Place, PortInUse, UsageError


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place(), ""),
        (Place(Path("site.yaml")), "site.yaml"),
        (Place(Path("site.yaml"), 12), "site.yaml:12"),
        (Place(Path("site.yaml"), 12, "Resources.Site"), "site.yaml:12 Resources.Site"),
        (Place(path="Resources.Site"), "Resources.Site"),
    ],
)
def test_a_place_reads_from_file_to_key(place: Place, text: str) -> None:
    assert str(place) == text


def test_an_error_names_place_rule_and_remedy() -> None:
    error = DefinitionError(
        "two origins are called web",
        place=Place(Path("site.yaml"), 3),
        rule="CDN-CFG-060",
        remedy="rename one",
    )
    assert str(error) == "site.yaml:3: two origins are called web [CDN-CFG-060] (rename one)"
    assert error.message == "two origins are called web"


def test_what_is_not_known_is_left_out() -> None:
    assert str(UsageError("no target")) == "no target"


@pytest.mark.parametrize("kind", [DefinitionError, PortInUse, UsageError])
def test_one_root_catches_them_all(kind: type[EdgeproxyError]) -> None:
    with pytest.raises(EdgeproxyError):
        raise kind("broken")
