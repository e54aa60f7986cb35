"""TLS by the server itself: the official client and curl, with certificates that OpenSSL makes."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.official_client import official_client

ASK: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}
STEINER = [sys.executable, "-m", "steiner.cli", "serve", "models/steiner-tiny", "--port", "0"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files of one that signs itself."""

    certfile: Path
    keyfile: Path


@pytest.fixture(scope="module")
def new_certificate(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Certificate]:
    def make(name: str) -> Certificate:
        folder = tmp_path_factory.mktemp(name)
        made = Certificate(folder / "certificate.pem", folder / "key.pem")
        command = [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        command += ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-keyout", str(made.keyfile), "-out", str(made.certfile)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return made

    return make


@pytest.fixture(scope="module")
def own(new_certificate: Callable[[str], Certificate]) -> Certificate:
    return new_certificate("server")


def settings_of(certificate: Certificate) -> dict[str, str]:
    return {"ssl_certfile": str(certificate.certfile), "ssl_keyfile": str(certificate.keyfile)}


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any, own: Certificate) -> Any:
    return serve(stage.engine(stage.with_backtrack), **settings_of(own))


def trusting(certificate: Certificate, client: Certificate | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate.certfile))
    if client is not None:
        context.load_cert_chain(client.certfile, client.keyfile)
    return context


def test_the_official_client_speaks_tls(served: Any, own: Certificate) -> None:
    assert served.url.startswith("https://")
    with (
        httpx.Client(verify=trusting(own)) as transport,
        official_client(served, http_client=transport) as client,
    ):
        assert client.chat.completions.create(**ASK).choices[0].message.content == "make 22"
        chunks = list(client.chat.completions.create(**ASK, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "make 22"
        with client.responses.stream(model="tiny", input="make 22 from 15 4 11") as stream:
            assert stream.get_final_response().output_text == "make 22"


def test_curl_reads_the_step_stream(served: Any, own: Certificate, program: Callable[[str], str]) -> None:
    body = '{"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}'
    command = [program("curl"), "-sSN", "--cacert", str(own.certfile), "--json", body]
    done = subprocess.run(
        [*command, f"{served.url}/v1/reasoning"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.count("event: done\n") == 1


def test_who_does_not_know_the_certificate_or_speaks_plainly_gets_nothing(
    served: Any, new_certificate: Callable[[str], Certificate]
) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{served.url}/health", verify=trusting(new_certificate("another")))
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"http{served.url.removeprefix('https')}/health")


def test_with_their_authorities_clients_need_certificates(
    stage: Any, serve: Any, own: Certificate, new_certificate: Callable[[str], Certificate]
) -> None:
    known = new_certificate("known")
    served = serve(stage.engine(stage.one_step), **settings_of(own), ssl_ca_certs=str(known.certfile))
    assert httpx.get(f"{served.url}/health", verify=trusting(own, known)).status_code == 200
    for stranger in (None, new_certificate("stranger")):
        # In TLS 1.3 the client has shaken hands before it is turned away.
        with pytest.raises((httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError)):
            httpx.get(f"{served.url}/health", verify=trusting(own, stranger))


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--ssl-certfile", "{folder}/nothing.pem"], "ssl_certfile {folder}/nothing.pem"),
        (["--ssl-certfile", "{folder}/text.pem"], "ssl_certfile {folder}/text.pem"),
        (["--ssl-certfile", "{certfile}", "--ssl-keyfile", "{other}"], "ssl_keyfile {other}"),
        (["--ssl-keyfile", "{other}"], "ssl_keyfile needs ssl_certfile"),
        (["--ssl-ca-certs", "{certfile}"], "ssl_ca_certs needs ssl_certfile"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    own: Certificate,
    new_certificate: Callable[[str], Certificate],
    tmp_path: Path,
    flags: list[str],
    named: str,
) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    words = {"folder": tmp_path, "certfile": own.certfile, "other": new_certificate("other").keyfile}
    command = [*STEINER, *(flag.format(**words) for flag in flags)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2, ended.stderr
    assert named.format(**words) in ended.stderr
    assert "Traceback" not in ended.stderr
