"""Definitions as users have them, and the whole project that each must load to.

After a change that is meant, write the expectations anew with ``EDGEPROXY_WRITE_GOLDEN=1`` and
read the difference.
"""

import json
import os
from pathlib import Path

import pytest

from edgeproxy.distribution.model import CachePolicy, ViewerProtocolPolicy
from edgeproxy.project.loaders import LoadOptions, load
from tests.golden.encoding import encode

HERE = Path(__file__).parent
DEFINITIONS = HERE / "definitions"

CASES = {
    "cloudformation": "cloudformation/template.yaml",
    "sam": "sam/template.yaml",
    "sam-translated": "sam-translated/template.json",
    "cdk": "cdk.out",
    "cdk-cross-region": "cross-region",
    "distribution-config": "distribution-config/distribution.json",
    "tenants": "tenants/template.yaml",
    "terraform-plan": "terraform/plan.json",
    "serverless": "serverless/serverless.yml",
}


@pytest.mark.rule(
    "CDN-CFG-003", "CDN-CFG-004", "CDN-CFG-005", "CDN-CFG-006",
    "CDN-CFG-007", "CDN-CFG-021", "CDN-CFG-022", "CDN-CFG-023", "CDN-CFG-024", "CDN-CFG-025",
    "CDN-CFG-026", "CDN-CFG-027", "CDN-CFG-031", "CDN-CFG-033", "CDN-CFG-061", "CDN-CFG-062",
    "CDN-CFG-063", "CDN-CFG-064", "CDN-CFG-065", "CDN-CFG-067", "CDN-CFG-069", "CDN-CFG-070",
    "CDN-CFG-071", "CDN-CFG-072", "CDN-CFG-073", "CDN-CFG-092", "CDN-CFG-111", "CDN-CFG-112",
    "CDN-CFG-113", "CDN-CFG-115", "CDN-CFG-116", "CDN-CFG-117", "CDN-CFG-118", "CDN-CFG-121",
    "CDN-CFG-122", "CDN-CFG-123", "CDN-CFG-141", "CDN-CFG-170", "CDN-CFG-173", "CDN-CFG-174",
    "CDN-CFG-175", "CDN-CFG-176", "CDN-CFG-180", "CDN-CFG-181", "CDN-CFG-182", "CDN-CFG-190",
    "CDN-CFG-191", "CDN-CFG-192", "CDN-CFG-193", "CDN-CFG-194", "CDN-CFG-195", "CDN-CFG-196",
    "CDN-CFG-197", "CDN-CFG-198", "CDN-CFG-199", "CDN-CFG-211", "CDN-CFG-214", "CDN-CFG-215",
    "CDN-CFG-216", "CDN-CFG-217", "CDN-CFG-250", "CDN-CFG-270", "CDN-CFG-271", "CDN-CFG-272",
    "CDN-CFG-273", "CDN-CFG-276", "CDN-CFG-279", "CDN-CFG-280", "CDN-CFG-281", "CDN-CFG-300",
    "CDN-CFG-301", "CDN-CFG-302", "CDN-CFG-304", "CDN-CFG-305", "CDN-CFG-306", "CDN-CFG-307",
    "CDN-CFG-308", "CDN-CFG-041", "AL-001", "AL-002", "AL-005", "AL-140", "AL-142", "AL-170",
)  # fmt: skip
@pytest.mark.parametrize("name", CASES)
def test_definition_loads_to_the_expected_project(name: str, tmp_path: Path) -> None:
    folders = {"{definitions}": DEFINITIONS, "{state}": tmp_path}
    encoded = encode(load(DEFINITIONS / CASES[name], LoadOptions(state_dir=tmp_path)), folders)
    file = HERE / "expected" / f"{name}.json"
    if os.environ.get("EDGEPROXY_WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(encoded, indent=1, ensure_ascii=False) + "\n")
    assert encoded == json.loads(file.read_text())


@pytest.mark.rule("CDN-CFG-310")
def test_what_a_cdk_app_leaves_open(tmp_path: Path) -> None:
    """The construct of this behavior says its origin and nothing else."""
    project = load(DEFINITIONS / CASES["cdk"], LoadOptions(state_dir=tmp_path)).project
    distribution = next(iter(project.distributions.values()))
    (behavior,) = (b for b in distribution.behaviors if b.path_pattern == "/static/*.?s")
    assert isinstance(behavior.cache, CachePolicy)
    assert behavior.cache.name == "Managed-CachingOptimized"
    assert set(behavior.allowed_methods) == {"GET", "HEAD"}
    assert behavior.compress
    assert behavior.viewer_protocol_policy is ViewerProtocolPolicy.ALLOW_ALL
