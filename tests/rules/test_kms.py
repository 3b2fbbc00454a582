"""Encrypted variables: those that Lambda decrypts, and those that code decrypts with KMS."""

import base64
import json
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from edgeproxy.errors import UsageError
from edgeproxy.testing import Edge, Site
from tests.support.lambda_api import (
    ROLE,
    RUNTIME,
    call,
    create,
    fails,
    invoke,
    lambda_client,
    package,
    refused,
)

KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DECRYPTS = """
import base64
import os
import boto3
blob = base64.b64decode(os.environ["SECRET"])
context = {"LambdaFunctionName": os.environ["AWS_LAMBDA_FUNCTION_NAME"]}
kms = boto3.client("kms")
plain = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"].decode()
def handler(event, context):
    return plain
"""
FAILURES = (
    "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException",
    "KMSNotFoundException",
)  # fmt: skip


@pytest.fixture
def keys(tmp_path: Path) -> tuple[str, ...]:
    for name in ("a", "b"):
        (tmp_path / f"{name}.key").write_bytes(name.encode() * 32)
    return (f"alias/a={tmp_path}/a.key", f"{KEY_ARN}={tmp_path}/b.key")


def kms_client(site: Site) -> Any:
    return boto3.client(
        "kms",
        endpoint_url=site.endpoints["control"],
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
    )


def template(folder: Path, code: str, **variables: str) -> Path:
    file = folder / "template.yaml"
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": "fn",
            "Runtime": RUNTIME,
            "Handler": "index.handler",
            "Role": ROLE,
            "KmsKeyArn": KEY_ARN,
            "Timeout": 30,
            "Code": {"ZipFile": code},
            "Environment": {"Variables": variables},
        },
    }
    file.write_text(yaml.safe_dump({"Resources": {"Fn": function}}))
    return file


@pytest.mark.rule("LR-171", "LR-172")
def test_variables_arrive_decrypted_and_keys_can_fail(edge: Edge, tmp_path: Path) -> None:
    code = "import os\ndef handler(event, context): return os.environ['SECRET']\n"
    site = edge.serve(template(tmp_path, code, SECRET="plain"))
    client = lambda_client(site)
    made = create(
        client,
        "made",
        KMSKeyArn=KEY_ARN,
        Environment={"Variables": {"SECRET": "plain"}},
        Code={"ZipFile": package(files={"index.py": code})},
    )
    assert made["KMSKeyArn"] == KEY_ARN
    for name in ("fn", "made"):
        assert invoke(client, name) == "plain"
        before = site.running.program.lambdas.logs(name)
        for failure in FAILURES:
            fault = json.dumps({"error": failure}).encode()
            path = f"/api/functions/{name}/fault"
            call(site, path, fault, "PUT", Content_Type="application/json")
            status, kind, document = fails(
                call(site, f"/2015-03-31/functions/{name}/invocations", b"{}")
            )
            assert (status, kind, document["Type"]) == (502, failure, "Service")
            call(site, path, method="DELETE")
        assert site.running.program.lambdas.logs(name) == before  # no code has run
        assert invoke(client, name) == "plain"


@pytest.mark.rule("LR-171")
def test_code_decrypts_a_variable_with_boto3(
    edge: Edge, tmp_path: Path, keys: tuple[str, ...]
) -> None:
    encrypting = kms_client(edge.serve(kms_key=keys))
    blob = encrypting.encrypt(
        KeyId="alias/a", Plaintext=b"told", EncryptionContext={"LambdaFunctionName": "fn"}
    )["CiphertextBlob"]
    secret = base64.b64encode(blob).decode()
    variables = {
        "SECRET": secret,
        "PYTHONPATH": str(Path(boto3.__file__).parents[1]),
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    site = edge.serve(template(tmp_path, DECRYPTS, **variables), kms_key=keys)
    client = lambda_client(site)
    given = client.get_function_configuration(FunctionName="fn")["Environment"]["Variables"]
    assert given["SECRET"] == secret  # ciphertext for the code, not for Lambda
    assert invoke(client, "fn") == "told"


def test_what_kms_answers(edge: Edge, keys: tuple[str, ...]) -> None:
    client = kms_client(edge.serve(kms_key=keys))
    sealed = client.encrypt(KeyId=KEY_ARN, Plaintext=b"x" * 4096)
    blob = sealed["CiphertextBlob"]
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (KEY_ARN, "SYMMETRIC_DEFAULT")
    opened = client.decrypt(CiphertextBlob=blob, KeyId=KEY_ARN.rpartition("/")[2])
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x" * 4096, KEY_ARN)
    assert refused(client.encrypt, KeyId="alias/no", Plaintext=b"x")[:2] == (
        400, "NotFoundException"
    )  # fmt: skip
    assert refused(client.encrypt, KeyId="alias/a", Plaintext=b"x" * 4097)[1] == (
        "ValidationException"
    )
    for wrong in (
        {"CiphertextBlob": blob[:-1] + bytes([blob[-1] ^ 1])},
        {"CiphertextBlob": blob, "EncryptionContext": {"a": "b"}},
        {"CiphertextBlob": b"short"},
        {"CiphertextBlob": blob[:16]},
    ):
        assert refused(client.decrypt, **wrong)[:2] == (400, "InvalidCiphertextException")
    assert refused(client.decrypt, CiphertextBlob=blob, KeyId="alias/a")[:2] == (
        400, "IncorrectKeyException"
    )  # fmt: skip
    for size, asked in ((32, {"KeySpec": "AES_256"}), (16, {"KeySpec": "AES_128"}),
                        (7, {"NumberOfBytes": 7})):  # fmt: skip
        made = client.generate_data_key(KeyId="alias/a", **asked)
        assert len(made["Plaintext"]) == size
        assert (
            client.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"]
            == (made["Plaintext"])
        )


def test_bodies_that_cannot_be_read(edge: Edge, keys: tuple[str, ...]) -> None:
    site = edge.serve(kms_key=keys)
    for path, target, body, status, name in (
        ("/", "TrentService.Encrypt", b"{", 400, b"SerializationException"),
        ("/", "TrentService.Encrypt", b"[]", 400, b"SerializationException"),
        ("/", "TrentService.CreateKey", b"{}", 404, b"UnknownOperationException"),
        ("/", "TrentService.Encrypt", b" " * 1_048_577, 413, b"RequestEntityTooLarge"),
        ("/service/CodeDeploy_20141006/operation/PutLifecycleEventHookExecutionStatus", "",
         b"\xff", 400, b"SerializationException"),
    ):  # fmt: skip
        answer = call(site, path, body, X_Amz_Target=target)
        assert (answer.status, name in answer.body) == (status, True), answer.body


def test_keys_that_are_none(edge: Edge, tmp_path: Path) -> None:
    short = tmp_path / "short.key"
    short.write_bytes(b"short")
    for given, words in (
        ("alias/a", "ID=FILE"),
        (f"a={tmp_path}/no.key", "cannot be read"),
        (f"a={short}", "openssl rand"),
    ):
        with pytest.raises(UsageError, match=words):
            edge.serve(kms_key=(given,))
