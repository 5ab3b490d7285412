"""Logs: what must never be in them."""

from __future__ import annotations

from mailkeep.telemetry import redact


def test_secrets_are_redacted() -> None:
    event = {
        "event": "x",
        "password": "hunter2",
        "subject": "your code",
        "url": "mysql+aiomysql://user:hunter2@db.test/mailkeep",
        "header": "Bearer mk_0123456789abcdef_" + "s" * 43,
        "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "count": 7,
    }
    assert redact(None, "info", event) == {
        "event": "x",
        "password": "[redacted]",
        "subject": "[redacted]",
        "url": "mysql+aiomysql://user:[redacted]@db.test/mailkeep",
        "header": "Bearer [redacted]",
        "jwt": "[redacted]",
        "count": 7,
    }


def test_attack_096_control_characters_are_escaped() -> None:
    event = {"event": "x", "agent": "a\r\nb\x1b[31m\u0085"}
    assert redact(None, "info", event)["agent"] == "a\\x0d\\x0ab\\x1b[31m\\x85"
