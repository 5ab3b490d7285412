"""Any bytes are stored and served: nothing that anybody sends makes a view fail."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.views import ONE, may_be_missing, views_of
from api.world import Customer, World, open_world, settings_in
from samples.generated import damaged_mails

FULL: Final = os.environ.get("MAILKEEP_TEST_FULL") == "1"
LINES: Final = st.lists(
    st.sampled_from(
        [
            b"From: a <a@b.test>, c\r\n", b"Subject: =?utf-8?q?=00=0d=0a?=\r\n", b"Subject: \xf0\x9f\x98\x80\xff\r\n",
            b"Date: x\r\n", b"Content-Type: text/html\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n",
            b"Content-Type: message/rfc822\r\n", b"Content-Type: message/delivery-status\r\n",
            b"Content-Disposition: attachment; filename*=utf-8''%00%ff%e2%80%ae\r\n", b"Content-ID: <\0\xff>\r\n",
            b"Content-Transfer-Encoding: base64\r\n", b"\r\n", b"--b\r\n", b"--b--\r\n", b"text \xed\xa0\x80 \0\r\n",
            b"<p onclick=x>&#0;&#xd800;<script>\r\n", b"__proto__: x\r\n", b"Received: from x by y id z; never\r\n",
        ]
    ),
    max_size=25,
).map(b"".join)  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Any], Any]]:
    """Runs a coroutine function with one world and its customer, on one engine, in the loop that they live in."""
    directory: Path = tmp_path_factory.mktemp("any")
    url = "" if request.param == "sqlite" else request.getfixturevalue("mariadb").create_database()
    with asyncio.Runner() as runner:
        opened = open_world(settings_in(directory / "data", database={"url": url}))
        world = runner.run(opened.__aenter__())
        ada = runner.run(world.register("ada@example.org"))
        views = runner.run(views_of(world))
        yield lambda work: runner.run(work(world, ada, views))
        runner.run(opened.__aexit__(None, None, None))


@pytest.mark.timeout(3_000 if FULL else 200)
@settings(
    max_examples=2_000 if FULL else 40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(source=st.one_of(st.binary(max_size=1_000), LINES, damaged_mails()))
def test_any_bytes_are_stored_and_served(run: Callable[[Any], Any], source: bytes) -> None:
    async def deliver_and_look(world: World, ada: Customer, views: list[str]) -> None:
        await world.deliver(source, ada)
        message_id = (await world.ask("GET", "/api/v1/messages?limit=1", ada)).json["items"][0]["id"]
        answers = {path: await world.ask("GET", path.format(message_id=message_id), ada) for path in views}
        shown = answers[ONE].json
        for path, answer in answers.items():
            assert answer.status in ({200, 404} if may_be_missing(path, shown) else {200}), (path, answer)
        assert answers[f"{ONE}/source"].body == source
        for file in shown["attachments"]:
            kept = await world.ask("GET", f"{ONE.format(message_id=message_id)}/attachments/{file['id']}", ada)
            assert (kept.status, len(kept.body)) == (200, file["size_bytes"])
        assert (await world.ask("DELETE", ONE.format(message_id=message_id), ada)).status == 204

    run(deliver_and_look)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"truncated \xe6\x97", "truncated "),
        (b"lone \xed\xa0\x80 surrogate", "lone "),
        (b"overlong \xc0\xaf", "overlong "),
        (b"nul \0 byte", "nul \ufffd byte"),
        ("bidi \u202egnp.exe\u202c".encode(), "bidi \u202egnp.exe\u202c"),
        ("Z\u0335".encode() + "\u0335".encode() * 9_999, "Z" + "\u0335" * 10_000),
        ("four bytes \U0001f4a9 \U0010fffd".encode(), "four bytes \U0001f4a9 \U0010fffd"),
        (b"\xff\xfe\xfd", "ÿþý"),
    ],
    ids=["truncated", "surrogate", "overlong", "nul", "bidi", "marks", "four bytes", "no text"],
)
def test_attack_049_text_that_is_none(run: Callable[[Any], Any], sent: bytes, shown: str) -> None:
    """In the subject, the name and the text; on both engines, and as JSON."""

    async def deliver_and_look(world: World, ada: Customer, _views: list[str]) -> None:
        head = b"Subject: " + sent.replace(b"\0", b"") + b"\r\nFrom: " + sent.replace(b"\0", b"") + b" <a@b.test>\r\n"
        await world.deliver(head + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + sent, ada)
        message = await world.only_message(ada)
        answer = (await world.ask("GET", ONE.format(message_id=message), ada)).json
        assert answer["text"].startswith(shown)
        assert answer["subject"].startswith(shown.replace("\ufffd", "")[:100])
        assert answer["from"]["address"] == "a@b.test"
        await world.ask("DELETE", ONE.format(message_id=message), ada)

    run(deliver_and_look)


def test_attack_046_and_050_fields_are_data(run: Callable[[Any], Any]) -> None:
    """Control characters are replaced, in JSON and in the headers of an answer; names mean nothing to us."""
    names = ("headers", "__class__", "__proto__", "constructor", "Set-Cookie", "Content-Security-Policy")
    word = "=?utf-8?q?a=0D=0ASet-Cookie=3A_b=00=1B=5Bm?="
    head = f"Subject: {word}\r\nFrom: {word} <a@b.test>\r\n" + "".join(f"{name}: x\r\n" for name in names)
    head += f'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="{word}"\r\n'

    async def deliver_and_look(world: World, ada: Customer, views: list[str]) -> None:
        await world.deliver(head.encode() + b"\r\nx", ada)
        message = await world.only_message(ada)
        answers = [await world.ask("GET", path.format(message_id=message), ada) for path in views]
        assert not [answer for answer in answers if "Set-Cookie" in answer.headers]
        shown = answers[views.index(ONE)].json
        assert (shown["subject"], shown["from"]["name"]) == ("a Set-Cookie: b\ufffd\ufffd[m",) * 2
        assert [name for name, value in shown["headers"] if value == "x"] == list(names)
        [file] = shown["attachments"]
        kept = await world.ask("GET", f"{ONE.format(message_id=message)}/attachments/{file['id']}", ada)
        assert "Set-Cookie" not in kept.headers
        assert "\n" not in kept.headers["Content-Disposition"]
        await world.ask("DELETE", ONE.format(message_id=message), ada)

    run(deliver_and_look)
