"""The wall clock is set while sessions are open (case 69): nothing waits, repeats or refuses on account of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailkeep.bootstrap import open_core
from mailkeep.domain.clock import utc_now
from mailkeep.domain.scope import Actor
from mxd.conversation import conversation
from mxd.house import House, open_door, settings_for

QUEUE_ID = "Received: from c.test by mx.test (Postfix) with ESMTP id 4XyZ1234; x\r\n"


@pytest.mark.usefixtures("house")
async def test_attack_069_mail_comes_in_whatever_the_clock_says(tmp_path: Path, furnished: tuple[Path, Actor]) -> None:
    start = utc_now()
    clock = [start]
    settings = settings_for(tmp_path)
    moments = [
        start,
        start + timedelta(hours=1),
        start - timedelta(hours=1),
        datetime(2038, 1, 19, 3, 14, 9, tzinfo=UTC),
        datetime(1990, 1, 1, tzinfo=UTC),
        start,
    ]
    async with open_core(settings, clock=lambda: clock[0]) as core:
        house = House(core, furnished[1])
        async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as talk:
            await talk.play([("LHLO mta.test", "220", "250-")])
            for number, moment in enumerate(moments):
                clock[0] = moment
                await talk.play([("MAIL FROM:<s@x.test>", "250"), ("RCPT TO:<a@here.test>", "250"), ("DATA", "354")])
                await talk.play([(f"Subject: {number}\r\n\r\n.", "250 2.0.0")])
        found = await house.messages()
    # What came in 1990 is over by now, so it is shown no more.
    assert [message.subject for message in found] == [str(number) for number in range(len(moments)) if number != 4]
    assert [message.received_at for message in found] == [*moments[:4], moments[5]]
    assert all(message.expires_at > message.received_at for message in found)


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
@pytest.mark.usefixtures("house")
async def test_attack_069_a_second_delivery_is_known_after_the_clock_was_set(
    tmp_path: Path, furnished: tuple[Path, Actor], jump: timedelta
) -> None:
    clock = [utc_now()]
    settings = settings_for(tmp_path)
    async with open_core(settings, clock=lambda: clock[0]) as core:
        house = House(core, furnished[1])
        async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as talk:
            await talk.play([("LHLO mta.test", "220", "250-")])
            for _ in range(2):
                await talk.play([("MAIL FROM:<s@x.test>", "250"), ("RCPT TO:<a@here.test>", "250"), ("DATA", "354")])
                await talk.play([(f"{QUEUE_ID}Subject: once\r\n\r\n.", "250 2.0.0")])
                clock[0] += jump
        assert len(await house.messages()) == 1
