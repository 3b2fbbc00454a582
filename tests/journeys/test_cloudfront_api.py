"""A running edge, changed over the CloudFront API while its definition is being edited."""

import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.support.aws import cloudfront
from tests.support.command import dev

HANDLER = """
import cf from 'cloudfront';
async function handler(event) {{
  var value = await cf.kvs().get('k');
  return {{statusCode: 200, headers: {{'x-mark': {{value: '{} ' + value}}}}}};
}}
"""


def definition(code: str, comment: str = "") -> dict[str, Any]:
    store = {"KeyValueStoreARN": {"Fn::GetAtt": ["Words", "Arn"]}}
    return {
        "Description": comment,
        "Resources": {
            "Words": {"Type": "AWS::CloudFront::KeyValueStore", "Properties": {"Name": "words"}},
            "Mark": {
                "Type": "AWS::CloudFront::Function",
                "Properties": {
                    "Name": "mark",
                    "AutoPublish": True,
                    "FunctionConfig": {
                        "Comment": "",
                        "Runtime": "cloudfront-js-2.0",
                        "KeyValueStoreAssociations": [store],
                    },
                    "FunctionCode": code,
                },
            },
            "Site": {
                "Type": "AWS::CloudFront::Distribution",
                "Properties": {
                    "DistributionConfig": {
                        "Enabled": True,
                        "Origins": [
                            {
                                "Id": "web",
                                "DomainName": "web.example.com",
                                "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
                            }
                        ],
                        "DefaultCacheBehavior": {
                            "TargetOriginId": "web",
                            "ViewerProtocolPolicy": "allow-all",
                            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                            "FunctionAssociations": [
                                {
                                    "EventType": "viewer-request",
                                    "FunctionARN": {"Fn::GetAtt": ["Mark", "FunctionARN"]},
                                }
                            ],
                        },
                    }
                },
            },
        },
    }


def served(url: str) -> str:
    with urlopen(url, timeout=10) as answer:
        return str(answer.headers["x-mark"])


def pairs(value: str) -> str:
    return json.dumps({"data": [{"key": "k", "value": value}]})


def test_what_saves_do_to_what_the_api_made(tmp_path: Path) -> None:
    template, words = tmp_path / "template.json", tmp_path / "words.json"
    template.write_text(json.dumps(definition(HANDLER.format("one"))))
    words.write_text(pairs("a"))
    arguments = ("template.json", "--kvs", "words=words.json", "--origin", "web=http://127.0.0.1:9")
    with dev(*arguments, cwd=tmp_path) as command:
        client = cloudfront(command.endpoints["cloudfront_api"])
        assert served(command.endpoints["viewer"]) == "one a"

        config = client.describe_function(Name="mark")["FunctionSummary"]["FunctionConfig"]
        version = client.update_function(
            Name="mark",
            IfMatch=client.describe_function(Name="mark")["ETag"],
            FunctionConfig=config,
            FunctionCode=HANDLER.format("api").encode(),
        )["ETag"]
        client.publish_function(Name="mark", IfMatch=version)
        assert served(command.endpoints["viewer"]) == "api a"

        template.write_text(json.dumps(definition(HANDLER.format("one"), "another description")))
        command.wait_for("mark stays what the CloudFront API made of it")
        assert served(command.endpoints["viewer"]) == "api a"

        words.write_text(pairs("b"))
        command.wait_for("reloaded words.json")
        assert served(command.endpoints["viewer"]) == "api b"

        template.write_text(json.dumps(definition(HANDLER.format("two"))))
        command.wait_for("mark: the definition takes the place of what the CloudFront API made")
        assert served(command.endpoints["viewer"]) == "two b"
        assert command.stop() == 0
