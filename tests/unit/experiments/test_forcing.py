"""What puts a visitor on a side."""

import pytest

from edgeproxy.errors import UsageError
from edgeproxy.experiments.forcing import forced, viewer_names
from edgeproxy.experiments.model import Experiment, Mark, MarkKind
from edgeproxy.http.forced import Forced
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request

SHARES = {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(
    ("mark", "found"),
    [
        (Mark(MarkKind.COOKIE, "ab"), Forced("cookies", "", "ab=b")),
        (Mark(MarkKind.COOKIE, "ab", {"a": "1", "b": "2"}), Forced("cookies", "", "ab=2")),
        (Mark(MarkKind.SENT_HEADER, "X-B", {"a": "", "b": "on"}), Forced("header", "X-B", "on")),
        (Mark(MarkKind.FUNCTION_VERSION, "f", {"a": "1", "b": "2"}),
         Forced("function version", "f", "2")),
    ],
)  # fmt: skip
def test_the_assignment_says_what_does(mark: Mark, found: Forced) -> None:
    assert forced(Experiment("x", mark, SHARES), "b") == found


@pytest.mark.parametrize(
    "kind", ["request_header", "response_header", "origin", "path_prefix", "body"]
)
def test_what_only_shows_a_side_puts_nobody_there(kind: str) -> None:
    experiment = Experiment("x", Mark(MarkKind(kind), "", {"a": "1", "b": "2"}), SHARES)
    with pytest.raises(UsageError, match="Nobody can be put on a yet") as caught:
        forced(experiment, "a")
    assert "as the assignment" in caught.value.remedy


def test_a_request_is_that_of_somebody_on_the_side() -> None:
    lines = Headers([("Cookie", "x=1; ab=a"), ("Cookie", "ab=c"), ("X-B", "off")])
    request = Request("GET", "/", headers=lines)
    cookies = Forced("cookies", "", "ab=b; y=2").applied_to(request).headers
    assert cookies.get_all("Cookie") == ["x=1; ab=b; y=2"]
    assert Forced("header", "x-b", "on").applied_to(request).headers.get("X-B") == "on"
    assert "X-B" not in Forced("header", "X-B", "").applied_to(request).headers
    assert Forced("function version", "f", "2").applied_to(request) is request


def test_viewers_have_names_of_their_own_that_fit_a_host() -> None:
    mark = Mark(MarkKind.COOKIE, "ab")
    names = viewer_names(Experiment("Shop_1", mark, dict.fromkeys(["a b", "a-b", "Ü"], 1 / 3)))
    assert names == {"a b": "shop-1-a-b", "a-b": "shop-1-a-b-2", "Ü": "shop-1"}
    long = viewer_names(Experiment("x" * 60, mark, SHARES)).values()
    assert [len(each) for each in long] == [40, 40]
    assert len(set(long)) == 2
