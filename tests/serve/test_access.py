"""Keys and tenants: whoever has a key sees one namespace, and nothing else."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from openai import AuthenticationError

from persona_memory import InvalidInput
from persona_memory_serve import ApiKeys, add_key
from tests.wrapping.conftest import turns

from .conftest import CAT, WHICH_CAT, Serve, chat


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    """A key for each of two tenants, with the file that knows them."""
    file = tmp_path / "keys.json"
    return {"acme": add_key(file, "acme"), "globex": add_key(file, "globex"), "file": file}


def test_only_hashes_of_keys_are_stored(keys: dict[str, Any]) -> None:
    """In a file for its owner only; a key names its tenant, anything else names nobody."""
    written = keys["file"].read_text()
    assert keys["acme"] not in written
    assert keys["acme"].startswith("pm-")
    assert stat.S_IMODE(keys["file"].stat().st_mode) == 0o600
    read = ApiKeys.read(keys["file"])
    assert read.namespaces == ["acme", "globex"]
    assert [read.namespace_of(one) for one in (keys["acme"], keys["globex"])] == ["acme", "globex"]
    hashed = json.loads(written)["keys"][0]["sha256"]
    for wrong in ("", "pm-", keys["acme"][:-1], keys["acme"] + "x", keys["acme"].upper(), hashed, "schlüssel"):
        assert read.namespace_of(wrong) is None


@pytest.mark.parametrize("content", [None, "", "[]", '{"keys": [{}]}', '{"keys": 7}'])
def test_a_file_that_holds_no_keys_is_refused(tmp_path: Path, content: str | None) -> None:
    """Before the server starts, and it is left as it is."""
    file = tmp_path / "keys.json"
    if content is not None:
        file.write_text(content)
        with pytest.raises(InvalidInput, match="no file of keys"):
            add_key(file, "acme")
        assert file.read_text() == content
    with pytest.raises(InvalidInput, match=r"api-key"):
        ApiKeys.read(file)
    with pytest.raises(InvalidInput, match="name the tenant"):
        add_key(tmp_path / "new.json", " ")


def test_without_a_key_nothing_is_served(serve: Serve, keys: dict[str, Any]) -> None:
    """Neither the proxy nor people; health and metrics are for those who operate it."""
    served = serve(keys=ApiKeys.read(keys["file"]))
    with pytest.raises(AuthenticationError, match="send a key of this server") as refused:
        chat(served.client("pm-guessed"), CAT)
    assert refused.value.code == "invalid_api_key"
    with served.http() as http:
        document = http.get("/openapi.json").json()
        for path, methods in document["paths"].items():
            for method in methods:
                answer = http.request(method, path.replace("{user_id}", "ana"), json={})
                open_to_all = path in ("/healthz", "/metrics")
                assert (answer.status_code == 401) != open_to_all, (method, path)
        assert http.get("/metrics").text.count("acme") == 0
    assert served.upstream.requests == []


def test_tenants_never_meet(serve: Serve, keys: dict[str, Any]) -> None:
    """The same user id is two people; somebody of another tenant is as unknown as somebody who is nowhere."""
    served = serve(keys=ApiKeys.read(keys["file"]))
    chat(served.client(keys["acme"]), CAT)
    chat(served.client(keys["globex"]), WHICH_CAT, person="ben")
    chat(served.client(keys["globex"]), WHICH_CAT)
    assert "Miso" not in json.dumps(served.upstream.requests[1:])
    assert turns(served.memory("acme")) == [("user", CAT), ("assistant", "Noted.")]
    with served.http(keys["acme"]) as http:
        assert http.get("/v1/users/ana/memories").status_code == 200
        for method, path, body in (
            ("GET", "profile", None), ("GET", "knowledge", None), ("GET", "memories", None), ("GET", "export", None),
            ("POST", "recall", {"query": "cat"}), ("DELETE", "", None), ("DELETE", "memories/t1", None),
        ):  # fmt: skip
            foreign, nobody = (
                http.request(method, f"/v1/users/{one}/{path}".rstrip("/"), json=body) for one in ("ben", "zoe")
            )
            assert (foreign.status_code, nobody.status_code) == (404, 404), path
            assert foreign.json() == json.loads(nobody.text.replace("zoe", "ben"))
    assert turns(served.memory("globex"), "ben")[0] == ("user", WHICH_CAT)


def test_the_upstream_sees_its_own_key_and_never_a_tenants(serve: Serve, keys: dict[str, Any]) -> None:
    """Nor the account that a tenant may name; without keys of tenants a client's own key is passed on."""
    account = {"OpenAI-Organization": "org-other", "api-key": "x"}
    tenants = serve(keys=ApiKeys.read(keys["file"]), upstream_key="sk-operator")
    chat(tenants.client(keys["acme"]), CAT, extra_headers=account)
    keyless_upstream = serve(keys=ApiKeys.read(keys["file"]))
    chat(keyless_upstream.client(keys["acme"]), CAT)
    alone, fixed = serve(), serve(upstream_key="sk-operator")
    chat(alone.client("sk-mine"), CAT)
    chat(fixed.client("sk-mine"), CAT)
    seen = [one.upstream.headers[0].get("authorization") for one in (tenants, keyless_upstream, alone, fixed)]
    assert seen == ["Bearer sk-operator", None, "Bearer sk-mine", "Bearer sk-operator"]
    assert not {"openai-organization", "api-key"} & tenants.upstream.headers[0].keys()
    assert keys["acme"] not in json.dumps([tenants.upstream.headers, keyless_upstream.upstream.headers])


def test_one_tenants_haste_is_not_anothers(serve: Serve, keys: dict[str, Any]) -> None:
    """Rates are counted by key."""
    served = serve(keys=ApiKeys.read(keys["file"]), rate="1/minute")
    with served.http(keys["acme"]) as acme, served.http(keys["globex"]) as globex:
        assert acme.get("/v1/models").status_code == 200
        assert acme.get("/v1/models").status_code == 429
        assert globex.get("/v1/models").status_code == 200


def test_a_rate_that_is_none_is_refused_before_anything_is_served(serve: Serve) -> None:
    """The message shows one."""
    with pytest.raises(InvalidInput, match="600/minute"):
        serve(rate="often")


def test_a_page_of_another_name_does_not_reach_a_server_without_keys(serve: Serve, keys: dict[str, Any]) -> None:
    """Its name may lead to this machine (DNS rebinding); keys, and names that the operator gave, are another matter."""
    stranger = {"host": "evil.example"}
    alone, tenants = serve(), serve(keys=ApiKeys.read(keys["file"]))
    named = serve(hosts=("memory.example",))
    with alone.http() as here, tenants.http(keys["acme"]) as acme, named.http() as there:
        for path in ("/v1/users/ana/profile", "/ui/"):
            assert here.get(path, headers=stranger).status_code == 400
        assert here.get("/healthz").status_code == 200
        assert acme.get("/healthz", headers=stranger).status_code == 200
        assert there.get("/healthz", headers={"host": "memory.example"}).status_code == 200
        assert there.get("/healthz").status_code == 400
