"""Results and pages of a study in an object store, by Snakemake's storage plugin and a store on the loopback interface."""

from __future__ import annotations

import importlib.util
import io
import tarfile

import pytest
from trees import Tree

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("moto", "flask_cors", "snakemake_storage_plugin_s3")),
        reason="not installed: a store to test with, `make dev EXTRAS=s3-test`",
    ),
]
BUCKET = "sciml"
KEY = {"access_key": "key", "secret_key": "secret", "region": "us-east-1"}


@pytest.fixture
def store():
    """Return a client of an empty store, and its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        names = {"access_key": "aws_access_key_id", "secret_key": "aws_secret_access_key", "region": "region_name"}
        client = boto3.client("s3", endpoint_url=address, **{names[name]: value for name, value in KEY.items()})
        client.create_bucket(Bucket=BUCKET)
        yield client, address
    finally:
        server.stop()


def test_results_and_pages_go_to_the_store_once_and_again_where_they_are_gone_there(tmp_path, store):
    client, address = store
    tree = Tree.make(tmp_path / "tree")
    for name, value in {**KEY, "endpoint_url": address}.items():
        tree.environment[f"SNAKEMAKE_STORAGE_S3_{name.upper()}"] = value

    def run(*options: str):
        words = tree.command("--profile", "profiles/s3", *options, snakefile="Snakefile")
        done = tree.call(*words, f"store=s3://{BUCKET}/runs", "--", "stored")
        assert done.returncode == 0, done.stdout
        return done.stdout

    def kept() -> list[str]:
        return [entry["Key"] for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    run()
    key = "runs/tiny/imaging.tar.gz"
    assert kept() == [key]
    archive = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(archive)) as held:
        members = {one.name: held.extractfile(one).read() for one in held.getmembers() if one.isfile()}
    folders = ("results/tiny/imaging", "reports/tiny/imaging.html", "reports/tiny/imaging.report.json")
    files = [path for name in folders for path in [tree.root / name, *(tree.root / name).rglob("*")] if path.is_file()]
    assert members == {str(path.relative_to(tree.root)): path.read_bytes() for path in files} and len(members) >= 8
    assert "Nothing to be done" in run()
    client.delete_object(Bucket=BUCKET, Key=key)
    again = run()
    assert kept() == [key] and "rule store_imaging" in again and "rule imaging_" not in again
