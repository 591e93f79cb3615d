"""The address of a state: a path, or a URL that says where and never with which right."""

from __future__ import annotations

import pytest

from sendkit_sync.core.errors import ErrorCode, StateAddressError
from sendkit_sync.core.store_address import address_problem, is_url, parse_address
from sendkit_sync.state import open_store
from sendkit_sync.state.stores.file import FileStore


@pytest.mark.parametrize("path", ["state.json", "./a/b.json", "/srv/state.json", "C:state", "states/{workspace}.json", "a:b/c"])
def test_a_path_is_a_file(path: str):
    assert not is_url(path)
    assert address_problem(path) is None
    assert isinstance(open_store(path), FileStore)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://bucket/a/b.json?region=eu-west-1", ("bucket", "a/b.json", {"region": "eu-west-1"}, "")),
        ("gs://bucket/a%20b", ("bucket", "a b", {}, "")),
        ("az://container/key?account=me", ("container", "key", {"account": "me"}, "")),
        (
            "postgresql://sync@db.example.com:5433/ops?table=x.y#team",
            ("sync@db.example.com:5433", "ops", {"table": "x.y"}, "team"),
        ),
        ("POSTGRES:///ops", ("", "ops", {}, "")),
    ],
)
def test_a_url_comes_apart(url: str, parts: tuple[str, str, dict[str, str], str]):
    found = parse_address(url)
    assert (found.location, found.path, found.options, found.name) == parts
    assert "?" not in found.shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://sync:hunter22@db/ops",
        "postgresql://sync:@db/ops",
        "postgresql://db/ops?password=hunter22",
        "postgresql://db/ops?sslpassword=hunter22",
        "s3://hunter22@bucket/key",
        "s3://bucket/key?secret_access_key=hunter22",
        "s3://bucket/key?aws_session_token=hunter22",
        "az://container/key?sig=hunter22",
        "az://container/key?sas_token=hunter22",
        "gs://bucket/key?credentials=hunter22",
    ],
)
def test_a_credential_in_a_url_is_an_error_that_does_not_show_it(url: str):
    with pytest.raises(StateAddressError) as caught:
        open_store(url)
    assert caught.value.code is ErrorCode.STATE_ADDRESS_HOLDS_CREDENTIAL
    assert "hunter22" not in f"{caught.value} {caught.value.hint}"
    assert "hunter22" not in (address_problem(url) or "")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/b",
        "s3://",
        "s3://bucket",
        "s3://bucket/",
        "s3://bucket/a/../b",
        "s3://bucket//a",
        "s3://bucket/a?b",
        "s3://b/a?x=1",
    ],
)
def test_what_is_no_address_is_refused(url: str):
    with pytest.raises(StateAddressError):
        parse_address(url)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require"])
def test_a_server_elsewhere_must_prove_who_it_is(mode: str, monkeypatch: pytest.MonkeyPatch):
    open_store(f"postgresql://127.0.0.1/db?sslmode={mode}")
    with pytest.raises(StateAddressError, match="verify"):
        open_store(f"postgresql://db.example.com/db?sslmode={mode}")
    monkeypatch.setenv("PGSSLMODE", mode)
    with pytest.raises(StateAddressError, match="verify"):
        open_store("postgresql://db.example.com/db")
    monkeypatch.setenv("PGHOST", "db.example.com")
    with pytest.raises(StateAddressError, match="verify"):
        open_store("postgresql:///db")


def test_a_server_elsewhere_is_verified_without_being_asked_for():
    store = open_store("postgresql://db.example.com/db")
    parameters = store._register._parameters  # type: ignore[attr-defined]
    assert (parameters["sslmode"], parameters["sslrootcert"]) == ("verify-full", "system")


@pytest.mark.parametrize("endpoint", ["http://store.example.com", "http://10.0.0.1:9000", "ftp://127.0.0.1"])
def test_an_endpoint_elsewhere_needs_tls(endpoint: str, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(StateAddressError, match="https"):
        open_store(f"s3://bucket/key?endpoint={endpoint}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(StateAddressError, match="https"):
        open_store("s3://bucket/key")
