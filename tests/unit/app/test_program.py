"""What a program tells when it starts."""

from pathlib import Path

import pytest

from edgeproxy.app.loading import load_target
from edgeproxy.app.program import Program
from edgeproxy.observe.hub import Hub
from edgeproxy.settings import Settings

TEMPLATE = """
Resources:
  Bucket:
    Type: AWS::S3::Bucket
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: web
            DomainName: Web.Example.com
            CustomOriginConfig: {OriginProtocolPolicy: http-only}
          - Id: files
            DomainName: !GetAtt Bucket.RegionalDomainName
            S3OriginConfig: {}
        DefaultCacheBehavior:
          TargetOriginId: web
          ViewerProtocolPolicy: allow-all
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
"""


@pytest.mark.parametrize(
    ("name", "is_known"),
    [
        ("web", True),
        ("web.example.com", True),
        ("files", True),
        ("Bucket", True),
        ("only-a-function-goes-there.example.com", True),
        ("typo", False),
        ("WEB", False),
    ],
)
async def test_an_origin_that_is_mapped_and_not_declared_is_told(
    tmp_path: Path, name: str, is_known: bool
) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    settings = Settings(
        port=0,
        control_port=0,
        state_dir=tmp_path / "state",
        origin=(f"{name}=http://127.0.0.1:9",),
    )
    told: list[str] = []
    program = Program(settings, Hub(), told.append)
    try:
        await program.apply(load_target(str(tmp_path / "template.yaml"), settings))
    finally:
        await program.close()
    if is_known:
        assert told == []
    else:
        (line,) = told
        assert line.startswith(f"no origin has the ID or domain name {name!r} (there is Bucket, ")
        assert "files, web, web.example.com)" in line


async def test_an_origin_host_that_is_not_declared_is_told(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    settings = Settings(port=0, control_port=0, origin_host=("web", "typo"))
    told: list[str] = []
    program = Program(settings, Hub(), told.append)
    try:
        await program.apply(load_target(str(tmp_path / "template.yaml"), settings))
    finally:
        await program.close()
    assert [line.partition(" (")[0] for line in told] == [
        "no origin has the ID or domain name 'typo'"
    ]
