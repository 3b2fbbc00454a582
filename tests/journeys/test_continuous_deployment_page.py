"""The template of the page about continuous deployment does what the page says."""

import re
from pathlib import Path

from edgeproxy.testing import Edge
from tests.support.origin import Origin

PAGE = Path(__file__).parents[2] / "docs" / "continuous-deployment.md"


def test_the_template_of_the_page(edge: Edge, origin: Origin, tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    template = tmp_path / "template.yaml"
    template.write_text(found[1])
    site = edge.serve(template, origins={"web": origin.url})
    assert site.get("/").status == 200
    assert site.get("/", headers={"aws-cf-cd-next": "on"}).status == 200
    assert origin.targets == ["/", "/next.html"]
