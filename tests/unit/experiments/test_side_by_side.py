"""What differs between the answers of two sides."""

from edgeproxy.experiments.side_by_side import Got, differences


def got(variant: str, body: bytes = b"", *headers: tuple[str, str], is_whole: bool = True) -> Got:
    return Got(variant, 200, headers, body, is_whole, f"id-{variant}")


async def test_headers_are_matched_by_name_and_cookies_by_theirs() -> None:
    first = [("Set-Cookie", "x=1"), ("Set-Cookie", "ab=a"), ("Vary", "A"), ("Age", "1")]
    second = [("set-cookie", "ab=b"), ("Set-Cookie", "x=1"), ("VARY", "A"), ("Age", "2")]
    third = [("Vary", "A"), ("Vary", "B")]
    found = await differences(
        [got("a", b"", *first), got("b", b"", *second), got("c", b"", *third)]
    )
    assert [
        (each["name"], list(each["values"].values()), each["differs"], each["changes"])
        for each in found["headers"]
    ] == [
        ("Set-Cookie", ["x=1", "x=1", None], True, False),
        ("Set-Cookie", ["ab=a", "ab=b", None], True, False),
        ("Vary", ["A", "A", "A"], False, False),
        ("Age", ["1", "2", None], True, True),
        ("Vary", [None, None, "B"], True, False),
    ]


async def test_lines_of_bodies() -> None:
    before = b"\n".join(b"%d" % each for each in range(20))
    after = before.replace(b"\n3\n", b"\nthree\n").replace(b"\n15", b"")
    (found,) = (await differences([got("a", before), got("b", after)]))["bodies"]
    assert (found["variants"], found["same"], found["cut"]) == (["a", "b"], False, False)
    assert ["".join(line) for line in found["lines"]] == [
        "…", " 1", " 2", "-3", "+three", " 4", " 5", "…", " 13", " 14", "-15", " 16", " 17",
    ]  # fmt: skip


async def test_a_page_in_one_line_is_compared_by_its_tags() -> None:
    page = b"<ul>" + b"<li>same</li>" * 30 + b"<li>%s</li></ul>"
    (found,) = (await differences([got("a", page % b"old"), got("b", page % b"new")]))["bodies"]
    assert [text for sign, text in found["lines"] if sign == "+"] == ["<li>new</li>"]


async def test_what_cannot_be_compared_whole_is_said() -> None:
    answers = [
        got("a", b"x"),
        got("b", b"x"),
        got("c", b"x", is_whole=False),
        got("d", b"\0"),
        got("e", b"y\n" * 500),
    ]
    bodies = (await differences(answers))["bodies"]
    assert [(each["same"], each["cut"]) for each in bodies] == [
        (True, False),
        (False, True),
        (False, False),
        (False, True),
    ]
    assert bodies[2]["lines"] is None
    assert len(bodies[3]["lines"]) == 400


async def test_of_very_long_bodies_the_beginning_is_compared() -> None:
    body = b"same\n" * 6_000
    (found,) = (await differences([got("a", body), got("b", body + b"new")]))["bodies"]
    assert (found["same"], found["cut"], found["lines"]) == (False, True, [])
