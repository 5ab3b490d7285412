import pytest

from mailkeep.config import Settings
from mailkeep_web.mail_list import sending_hints

ADDRESS = "a@mail.test"


def settings(**sections: object) -> Settings:
    return Settings.model_validate(sections)


@pytest.mark.parametrize(
    ("sections", "listener"),
    [({}, ("LMTP", "127.0.0.1:8024")), ({"smtp": {"enabled": True}}, ("SMTP", "127.0.0.1:8025"))],
)
def test_on_this_machine_mail_goes_straight_to_the_listener(
    sections: dict[str, object], listener: tuple[str, str]
) -> None:
    protocol, listen = listener
    assert sending_hints(settings(**sections), ADDRESS) == (
        f"mailkeep mail send --to a@mail.test --{protocol.lower()} {listen}",
        f"swaks --server {listen} --protocol {protocol} --to a@mail.test",
    )


@pytest.mark.parametrize("public_url", ["https://mail.example.org", "https://[2001:db8::1]:8443"])
def test_elsewhere_the_domains_own_server_takes_it(public_url: str) -> None:
    assert sending_hints(settings(http={"public_url": public_url}), ADDRESS) == ("swaks --to a@mail.test",)


@pytest.mark.parametrize("public_url", ["http://localhost:8080", "http://[::1]", "http://127.0.0.1:1/"])
def test_this_machine_has_several_names(public_url: str) -> None:
    assert len(sending_hints(settings(http={"public_url": public_url}), ADDRESS)) == 2
