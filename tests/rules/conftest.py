"""Fixtures for the rules that show on the whole way from viewer to origin."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from edgeproxy.testing import Edge, Site
from tests.support.delivery import RawOrigin, definition, running_raw_origin
from tests.support.mutual_tls import resources, written
from tests.support.origin import Answer, Origin
from tests.support.templates import distribution_template
from tests.support.viewer_functions import viewer_functions_template


@pytest.fixture(scope="module")
def shared() -> Iterator[Edge]:
    """One edge for a whole module; every test serves its own site on it."""
    with Edge() as edge:
        yield edge


@pytest.fixture
def serve_cff(shared: Edge, origin: Origin, tmp_path: Path) -> Callable[..., Site]:
    """Serves a distribution with these CloudFront Functions in front of the origin."""
    origin.answer = Answer(headers={"Cache-Control": "max-age=60", "Content-Type": "text/plain"})

    def start(functions: dict[str, str], **template: object) -> Site:
        path = viewer_functions_template(tmp_path, functions, **template)
        return shared.serve(path, origins={"web": origin.url})

    return start


@pytest.fixture
def serve_lambda(shared: Edge, origin: Origin, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Serves a distribution with these Lambda functions in front of the origin, or of ``at``.

    ``resources`` are added to the template as they are, ``options`` are those of ``Edge.serve``.
    """
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"})

    def start(
        functions: dict[str, str],
        at: str = "",
        resources: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        **template: Any,
    ) -> Site:
        path = distribution_template(tmp_path, functions, **template)
        document = yaml.safe_load(path.read_text())
        document["Resources"] = (resources or {}) | document["Resources"]
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return shared.serve(path, origins={"web": at or origin.url}, **(options or {}))

    yield start
    shared.clock.reset()


@pytest.fixture
def deliver(shared: Edge, origin: Origin, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Serves what ``tests.support.delivery.definition`` defines; ``web`` is the origin.

    ``at`` maps origins to where they are instead, ``options`` are those of ``Edge.serve``.
    """

    def start(
        *behaviors: Any,
        at: dict[str, str | Path] | None = None,
        options: dict[str, Any] | None = None,
        **more: Any,
    ) -> Site:
        path = tmp_path / "template.json"
        path.write_text(json.dumps(definition(*behaviors, **more)))
        return shared.serve(path, origins={"web": origin.url, **(at or {})}, **(options or {}))

    yield start
    shared.clock.reset()


@pytest.fixture
def raw_origin() -> Iterator[RawOrigin]:
    """An origin that says whatever bytes it is told."""
    with running_raw_origin() as running:
        yield running


@pytest.fixture(scope="session")
def client_ca() -> trustme.CA:
    """The authority of viewers' certificates."""
    return trustme.CA(organization_name="Clients", organization_unit_name="Devices")


@pytest.fixture
def serve_mtls(
    edge: Edge,
    tmp_path: Path,
    origin: Origin,
    client_ca: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Site]:
    """Serves distributions that trust ``client_ca``, with a connection function if given code."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def start(code: str = "", options: dict[str, Any] | None = None, **distributions: Any) -> Site:
        (tmp_path / "ca.pem").write_bytes(client_ca.cert_pem.bytes())
        path = written(tmp_path, **resources(code), **distributions)
        return edge.serve(path, origins={"web": origin.url}, https_port=0, **(options or {}))

    return start
