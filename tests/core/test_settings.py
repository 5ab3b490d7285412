"""Settings: where they come from, and what is said of a wrong one."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mailkeep.config import Settings, split_listen
from mailkeep.errors import ConfigurationError
from mailkeep.settings_loader import load_settings


def test_defaults_need_nothing() -> None:
    settings = load_settings({})
    assert settings == Settings()
    assert settings.database_url == "sqlite+aiosqlite:///var/mailkeep.db"
    assert settings.blob_dir == Path("var/blobs")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        '[lmtp]\nlisten = "127.0.0.1:1"\nmax_recipients = 7\n[tiers.free]\naddresses = 9\n'
    )
    settings = load_settings({"MAILKEEP_CONFIG": str(tmp_path / "c.toml"), "MAILKEEP_LMTP__LISTEN": "127.0.0.1:2"})
    assert (settings.lmtp.listen, settings.lmtp.max_recipients) == ("127.0.0.1:2", 7)
    assert (settings.tier("free").addresses, settings.tier("free").retention_days) == (9, 7)


def test_a_secret_comes_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mk_secret\n")
    settings = load_settings({"MAILKEEP_RECIPIENTS__TOKEN_FILE": str(tmp_path / "token")})
    assert settings.recipients.token.get_secret_value() == "mk_secret"
    assert "mk_secret" not in repr(settings)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"MAILKEEP_LMTP__LISTN": "x"}, "unknown key lmtp.listn (did you mean listen?): see `mailkeep config example`"),
        ({"MAILKEEP_SCAN__MODE": "reject"}, "scan: mode reject needs clamd, as host:port or unix:/path"),
        ({"MAILKEEP_SCAN__MODE": "quarantine", "MAILKEEP_SCAN__CLAMD": "unix:"}, "scan: mode quarantine needs clamd"),
        ({"MAILKEEP_SCAN__CLAMD": "clamd.test"}, "scan.clamd: write host:port or unix:/path"),
        ({"MAILKEEP_SCAN__MODE": "on"}, "scan.mode: input should be 'off', 'quarantine' or 'reject'"),
        ({"MAILKEEP_NOTHING": "x"}, "unknown key nothing: see `mailkeep config example`"),
        ({"MAILKEEP_LMTP__MAX_RECIPIENTS": "many"}, "lmtp.max_recipients: input should be a valid integer"),
        ({"MAILKEEP_LMTP__MAX_RECIPIENTS": "0"}, "lmtp.max_recipients: input should be greater than 0"),
        ({"MAILKEEP_AUTH__SECRET": "short"}, "auth.secret: too short: at least 32 bytes"),
        ({"MAILKEEP_MAIL__DOMAIN": "no domain"}, "mail.domain: not a domain name"),
        ({"MAILKEEP_CONFIG": "/nowhere/c.toml"}, "cannot read the configuration /nowhere/c.toml"),
        ({"MAILKEEP_AUTH__SECRET_FILE": "/nowhere"}, "cannot read the file that MAILKEEP_AUTH__SECRET_FILE names"),
        ({"MAILKEEP_DATA_DIR__X": "1", "MAILKEEP_DATA_DIR": "a"}, "data_dir is a value, not a section"),
        ({"MAILKEEP_TIERS__GOLD__ADDRESSES": "1"}, "tiers.gold.retention_days: field required"),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_example_is_the_defaults(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("mailkeep")
    example = subprocess.run([command, "config", "example"], capture_output=True, text=True, check=True).stdout
    assert tomllib.loads(example) == {"tiers": {"free": {}, "paid": {}}} | {
        name: {} for name, field in Settings.model_fields.items() if name not in {"data_dir", "tiers"}
    }
    keys = [line.removeprefix("# ") if " = " in line else line for line in example.splitlines()]
    (tmp_path / "all.toml").write_text("\n".join(keys))
    assert load_settings({"MAILKEEP_CONFIG": str(tmp_path / "all.toml")}) == Settings()


@pytest.mark.parametrize("listen", ["", "8080", "host:", "host:http", "host:70000", "host:-1"])
def test_no_address_to_listen_on(listen: str) -> None:
    with pytest.raises(ConfigurationError):
        split_listen(listen)


def test_addresses_to_listen_on() -> None:
    assert split_listen("127.0.0.1:80") == ("127.0.0.1", 80)
    assert split_listen("[::1]:80") == ("::1", 80)
