"""`mailkeep postfix config`: what it writes, and what it refuses to write."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mailkeep.config import Settings
from mailkeep.errors import Conflict, InvalidInput
from mailkeep_cli.main import app
from services.required import required_program

FINGERPRINT = ":".join(["AB"] * 32)


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILKEEP_MAIL__DOMAIN", "mail.example.org")
    monkeypatch.setenv("MAILKEEP_POLICY__LISTEN", "127.0.0.1:10999")


def printed(*arguments: str) -> str:
    """What the command prints. Raises what ends it."""
    done = CliRunner().invoke(app, ["postfix", "config", "--hostname=mx.example.org", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_on_one_machine_it_takes_its_names_from_the_settings() -> None:
    lines = printed("--mode=one-machine").splitlines()
    lmtp = Settings().lmtp
    assert "myhostname = mx.example.org" in lines
    assert "relay_domains = mail.example.org" in lines
    assert f"relay_transport = lmtp:inet:{lmtp.listen}" in lines
    assert "smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:10999" in lines
    assert f"message_size_limit = {lmtp.max_message_bytes}" in lines
    assert f"lmtp_destination_recipient_limit = {lmtp.max_recipients}" in lines
    assert "lmtp_tls_security_level = none" in lines


@pytest.mark.parametrize(
    ("backend", "nexthop"),
    [
        ("localhost:24", "inet:localhost:24"),
        ("[::1]:24", "inet:[::1]:24"),
        ("unix:/run/mailkeep/lmtp", "unix:/run/mailkeep/lmtp"),
    ],
)
def test_mxd_may_listen_anywhere_on_this_machine(backend: str, nexthop: str) -> None:
    assert f"relay_transport = lmtp:{nexthop}\n" in printed("--mode=one-machine", f"--backend={backend}")


def test_before_another_host_tls_is_mandatory_and_verified_by_name() -> None:
    lines = printed("--mode=mx", "--backend=backend.example.org:24").splitlines()
    assert "relay_transport = lmtp:inet:backend.example.org:24" in lines
    assert "lmtp_tls_security_level = secure" in lines
    assert "lmtp_tls_secure_cert_match = backend.example.org" in lines
    assert "lmtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt" in lines


def test_or_by_fingerprint() -> None:
    digits = FINGERPRINT.replace(":", "").lower()
    for written in (FINGERPRINT, digits, f"sha256 Fingerprint={FINGERPRINT}"):
        lines = printed("--mode=mx", "--backend=10.0.0.7:24", f"--fingerprint={written}").splitlines()
        assert "lmtp_tls_security_level = fingerprint" in lines
        assert f"lmtp_tls_fingerprint_cert_match = {FINGERPRINT}" in lines
        assert not [line for line in lines if line.startswith("lmtp_tls_CAfile")]


def test_without_postscreen_smtpd_takes_the_port() -> None:
    text = printed("--mode=one-machine", "--no-postscreen")
    assert "postscreen_" not in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("smtp ")] == ["smtpd"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--mode=one-machine", "--backend=10.0.0.7:24"],  # in the clear over a network
        ["--mode=one-machine", f"--fingerprint={FINGERPRINT}"],  # would not be looked at
        ["--mode=mx"],
        ["--mode=mx", "--backend=backend.example.org"],
        ["--mode=mx", "--backend=10.0.0.7:24"],  # no certificate is verified by an address
        ["--mode=mx", "--backend=[2001:db8::1]:24"],
        ["--mode=mx", "--backend=10.0.0.7:24", "--fingerprint=AB:CD"],
        ["--mode=mx", "--backend=a.test, b.test:24"],
        ["--mode=mx", "--backend=b.test:24", "--ca-file=/etc/ca\nmynetworks = 0.0.0.0/0"],
        ["--mode=mx", "--backend=b.test:24", "--verify-name=$relay_domains"],
        ["--mode=one-machine", "--tls-chain=a.pem b.pem"],
        ["--mode=one-machine", "--hostname=localhost"],
    ],
)
def test_what_would_not_be_safe_is_not_written(arguments: list[str]) -> None:
    with pytest.raises(InvalidInput):
        printed(*arguments)


@pytest.mark.parametrize(
    "settings",
    [
        {"POLICY__ENABLED": "false"},
        {"LMTP__TLS": "required", "LMTP__TLS_CERTIFICATE": "/etc/x.pem", "LMTP__TLS_KEY": "/etc/x.key"},
    ],
)
def test_it_does_not_write_what_mxd_would_not_answer(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"MAILKEEP_{name}", value)
    with pytest.raises(InvalidInput):
        printed("--mode=one-machine")


def test_files_that_exist_are_not_replaced_unless_asked(tmp_path: Path) -> None:
    target = tmp_path / "postfix"
    printed("--mode=one-machine", f"--directory={target}")
    assert sorted(file.name for file in target.iterdir()) == ["main.cf", "master.cf"]

    (target / "main.cf").write_text("mine")
    (target / "master.cf").unlink()
    with pytest.raises(Conflict):
        printed("--mode=one-machine", f"--directory={target}")
    assert [(file.name, file.read_text()) for file in target.iterdir()] == [("main.cf", "mine")]

    printed("--mode=one-machine", f"--directory={target}", "--force")
    assert "relay_domains" in (target / "main.cf").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--mode=one-machine"],
        ["--mode=one-machine", "--no-postscreen"],
        ["--mode=mx", "--backend=b.test:24", "--client-chain=/etc/x.pem"],
        ["--mode=mx", "--backend=10.0.0.7:24", f"--fingerprint={FINGERPRINT}"],
    ],
)
def test_postfix_knows_every_parameter(tmp_path: Path, arguments: list[str]) -> None:
    """postconf warns of names that mean nothing to it, and of values that it overrides."""
    printed(*arguments, f"--directory={tmp_path}")
    command = [required_program("postconf"), "-c", str(tmp_path), "-n"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
