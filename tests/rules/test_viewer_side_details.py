"""What two behaviors share, and how header names are spelled, over real sockets."""

import json
from pathlib import Path

import pytest

from edgeproxy.testing import Edge
from tests.support.delivery import cache_policy, definition, raw
from tests.support.origin import Answer, Origin
from tests.support.viewer_functions import function, viewer_functions_template


def rewriting(target: str) -> dict[str, object]:
    return {
        "Type": "AWS::CloudFront::Function",
        "Properties": {
            "Name": "rewrite",
            "AutoPublish": True,
            "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
            "FunctionCode": function(f"event.request.uri = '{target}';"),
        },
    }


@pytest.mark.rule("CDN-KEY-38")
def test_behaviors_of_one_distribution_share_objects(
    shared: Edge, origin: Origin, tmp_path: Path
) -> None:
    """A function's change of path is the one way by which two behaviors meet at one path."""
    association = {
        "EventType": "viewer-request",
        "FunctionARN": {"Fn::GetAtt": ["Rewrite", "FunctionARN"]},
    }
    same = {"cache": cache_policy()}
    behaviors = {
        "/old/*": {**same, "FunctionAssociations": [association]},
        "/new/*": same,
        "/keyed/*": {"cache": cache_policy(headers="whitelist X-A")},
    }
    sites = []
    for name in ("one", "two"):
        template = definition(same, behaviors)
        template["Resources"]["Rewrite"] = rewriting("/new/a")
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(template))
        sites.append(shared.serve(path, origins={"web": origin.url}))
    first, second = sites
    assert first.get("/old/x").x_cache == "Miss from cloudfront"
    assert first.get("/new/a").x_cache == "Hit from cloudfront"
    assert second.get("/new/a").x_cache == "Miss from cloudfront"
    assert origin.targets == ["/new/a", "/new/a"]


@pytest.mark.rule("CDN-VER-05")
def test_names_keep_their_spelling_for_viewers_and_are_lower_case_for_functions(
    shared: Edge, origin: Origin, tmp_path: Path
) -> None:
    origin.answer = Answer(headers={"X-oDD-Name": "1"})
    show = "console.log(Object.keys({}.headers).filter(n => n.startsWith('x-odd')).join());"
    functions = {
        "viewer-request": function(show.replace("{}", "event.request")),
        "viewer-response": function(show.replace("{}", "event.response"), result="event.response"),
    }
    seen = {}
    for event_type, code in functions.items():
        folder = tmp_path / event_type
        folder.mkdir()
        path = viewer_functions_template(folder, {event_type: code})
        site = shared.serve(path, origins={"web": origin.url})
        answer = raw(site, b"GET / HTTP/1.1\r\nHost: a\r\nX-ODD-Viewer: 1\r\n\r\n")
        # What a function returns has the function's spelling.
        assert (b"\r\nX-oDD-Name: 1\r\n" in answer) == (event_type == "viewer-request")
        (run,) = site.exchanges(1)[0].functions
        seen[event_type] = run.log[0].message
    assert seen == {"viewer-request": "x-odd-viewer", "viewer-response": "x-odd-name"}
