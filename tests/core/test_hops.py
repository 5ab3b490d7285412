"""Received fields as servers write them (RFC 5321 section 4.4), and as nobody should."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from mailkeep.domain.hop import Hop
from mailkeep.mail.hops import hop, route

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
LATER = "Tue, 24 Nov 2026 10:30:00 +0100"

WRITTEN: dict[str, tuple[str, Hop]] = {
    "Postfix": (
        (
            "from out.sender.test (mx7.sender.test [192.0.2.7]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
            "(256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256) "
            "(No client certificate requested) by mx.here.test (Postfix) with ESMTPS id 4XyZ1234abcd "
            f"for <box@here.test>; {LATER} (CET)"
        ),
        Hop(
            name="out.sender.test",
            host="mx7.sender.test",
            ip="192.0.2.7",
            by="mx.here.test",
            protocol="ESMTPS",
            id="4XyZ1234abcd",
            recipient="box@here.test",
            tls_version="TLSv1.3",
            tls_cipher="TLS_AES_256_GCM_SHA384",
            at=AT,
        ),
    ),
    "Postfix, no reverse name, IPv6": (
        f"from [10.0.0.1] (unknown [IPv6:2001:db8::25]) by mx.here.test (Postfix) with ESMTP id 1A2B3C4D5E; {LATER}",
        Hop(name="[10.0.0.1]", ip="2001:db8::25", by="mx.here.test", protocol="ESMTP", id="1A2B3C4D5E", at=AT),
    ),
    "Postfix, sendmail command": (
        f"by web1.sender.test (Postfix, from userid 33) id 9F8E7D6C5B; {LATER}",
        Hop(by="web1.sender.test", id="9F8E7D6C5B", at=AT),
    ),
    "Exim, TLS 1.3": (
        (
            "from [192.0.2.9] (port=51234 helo=client.sender.test) by mail.here.test with esmtpsa  (TLS1.3) tls "
            "TLS_AES_256_GCM_SHA384 (Exim 4.96) (envelope-from <a@sender.test>) id 1tF0aB-0001Cd-2e for box@here.test; "
            f"{LATER}"
        ),
        Hop(
            name="client.sender.test",
            ip="192.0.2.9",
            by="mail.here.test",
            protocol="esmtpsa",
            id="1tF0aB-0001Cd-2e",
            recipient="box@here.test",
            tls_version="TLSv1.3",
            tls_cipher="TLS_AES_256_GCM_SHA384",
            at=AT,
        ),
    ),
    "Exim, older": (
        (
            "from mx9.sender.test ([192.0.2.9] helo=smtp.sender.test) by mail.here.test with esmtps "
            "(TLSv1.2:ECDHE-RSA-AES256-GCM-SHA384:256) (Exim 4.89) (envelope-from <a@sender.test>) id 1eAbCd-0002Ef-3g "
            f"for box@here.test; {LATER}"
        ),
        Hop(
            name="smtp.sender.test",
            host="mx9.sender.test",
            ip="192.0.2.9",
            by="mail.here.test",
            protocol="esmtps",
            id="1eAbCd-0002Ef-3g",
            recipient="box@here.test",
            tls_version="TLSv1.2",
            tls_cipher="ECDHE-RSA-AES256-GCM-SHA384",
            at=AT,
        ),
    ),
    "sendmail": (
        (
            "from relay.sender.test (relay.sender.test [192.0.2.3] (may be forged)) (authenticated bits=0) by "
            "mail.here.test (8.17.1/8.17.1) with ESMTPSA id 3AO9U0xy012345 (version=TLSv1.3 "
            f"cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NO) for <box@here.test>; {LATER}"
        ),
        Hop(
            name="relay.sender.test",
            host="relay.sender.test",
            ip="192.0.2.3",
            by="mail.here.test",
            protocol="ESMTPSA",
            id="3AO9U0xy012345",
            recipient="box@here.test",
            tls_version="TLSv1.3",
            tls_cipher="TLS_AES_256_GCM_SHA384",
            at=AT,
        ),
    ),
    "sendmail, submitted": (
        f"(from www@localhost) by web.sender.test (8.15.2/8.15.2/Submit) id 3AO9U0ab000001; {LATER}",
        Hop(by="web.sender.test", id="3AO9U0ab000001", note="from www@localhost", at=AT),
    ),
    "qmail": (
        (
            "from unknown (HELO smtp.sender.test) (192.0.2.4) by mail.here.test with (DHE-RSA-AES256-SHA encrypted) "
            "SMTP; 24 Nov 2026 09:30:00 -0000"
        ),
        Hop(
            name="smtp.sender.test",
            ip="192.0.2.4",
            by="mail.here.test",
            protocol="SMTP",
            tls_cipher="DHE-RSA-AES256-SHA",
            at=AT,
        ),
    ),
    "qmail, authenticated": (
        "from host.sender.test (HELO laptop) (ada@192.0.2.4) by mail.here.test with SMTP; 24 Nov 2026 09:30:00 -0000",
        Hop(name="laptop", host="host.sender.test", ip="192.0.2.4", by="mail.here.test", protocol="SMTP", at=AT),
    ),
    "qmail, local": (
        "(qmail 12345 invoked by uid 1000); 24 Nov 2026 09:30:00 -0000",
        Hop(note="qmail 12345 invoked by uid 1000", at=AT),
    ),
    "Exchange": (
        (
            "from AM0PR01MB1234.prod.sender.test (2603:10a6:208:17b::10) by AM0PR01MB5678.prod.sender.test "
            "(2603:10a6:20b:33::22) with Microsoft SMTP Server (version=TLS1_2, "
            "cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.8158.18; Tue, 24 Nov 2026 09:30:00 +0000"
        ),
        Hop(
            name="AM0PR01MB1234.prod.sender.test",
            ip="2603:10a6:208:17b::10",
            by="AM0PR01MB5678.prod.sender.test",
            protocol="Microsoft SMTP Server",
            id="15.20.8158.18",
            tls_version="TLSv1.2",
            tls_cipher="TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            at=AT,
        ),
    ),
    "Exchange, within": (
        (
            "from AM0PR01MB5678.prod.sender.test ([fe80::1%4]) by AM0PR01MB5678.prod.sender.test ([fe80::1%4]) with "
            "mapi id 15.20.8158.021 via Frontend Transport; Tue, 24 Nov 2026 09:30:00 +0000"
        ),
        Hop(
            name="AM0PR01MB5678.prod.sender.test",
            ip="fe80::1%4",
            by="AM0PR01MB5678.prod.sender.test",
            via="Frontend Transport",
            protocol="mapi",
            id="15.20.8158.021",
            at=AT,
        ),
    ),
    "Gmail, from outside": (
        (
            "from mx.sender.test (mx.sender.test. [192.0.2.41]) by mx.google.test with ESMTPS id "
            "a1-20020a05b6c2si1234567wrs.89.2026.11.24.01.30.00 for <box@here.test> (version=TLS1_3 "
            "cipher=TLS_AES_256_GCM_SHA384 bits=256/256); Tue, 24 Nov 2026 01:30:00 -0800 (PST)"
        ),
        Hop(
            name="mx.sender.test",
            host="mx.sender.test",
            ip="192.0.2.41",
            by="mx.google.test",
            protocol="ESMTPS",
            id="a1-20020a05b6c2si1234567wrs.89.2026.11.24.01.30.00",
            recipient="box@here.test",
            tls_version="TLSv1.3",
            tls_cipher="TLS_AES_256_GCM_SHA384",
            at=AT,
        ),
    ),
    "Gmail, within": (
        "by 2002:a05:6402:35c4:b0:5d0:1234:abcd with SMTP id z4-20a0564021a2b3; Tue, 24 Nov 2026 01:30:00 -0800 (PST)",
        Hop(by="2002:a05:6402:35c4:b0:5d0:1234:abcd", protocol="SMTP", id="z4-20a0564021a2b3", at=AT),
    ),
    "Gmail, by its API": (
        "from 123456789 named unknown by gmailapi.google.test with HTTPREST; Tue, 24 Nov 2026 01:30:00 -0800",
        Hop(name="123456789", by="gmailapi.google.test", protocol="HTTPREST", at=AT),
    ),
    "Amazon SES": (
        (
            "from a8-41.smtp-out.amazonses.test (a8-41.smtp-out.amazonses.test [198.51.100.41]) by "
            f"inbound-smtp.here.test with SMTP id q1w2e3r4t5y6u7i8o9p0 for box@here.test; {LATER} (UTC)"
        ),
        Hop(
            name="a8-41.smtp-out.amazonses.test",
            host="a8-41.smtp-out.amazonses.test",
            ip="198.51.100.41",
            by="inbound-smtp.here.test",
            protocol="SMTP",
            id="q1w2e3r4t5y6u7i8o9p0",
            recipient="box@here.test",
            at=AT,
        ),
    ),
    "Mailgun": (
        f"by 2b8f1c9d7e6a with HTTP id 65f2a1b3c4d5e6f7; {LATER}",
        Hop(by="2b8f1c9d7e6a", protocol="HTTP", id="65f2a1b3c4d5e6f7", at=AT),
    ),
    "SendGrid, taken in": (
        (
            "from MTIzNDU2 (unknown) by geopod-ismtpd-5 (SG) with ESMTP id aBcDeFgHiJkLmNoP "
            "for <box@here.test>; Tue, 24 Nov 2026 09:30:00.123 +0000 (UTC)"
        ),
        Hop(
            name="MTIzNDU2",
            by="geopod-ismtpd-5",
            protocol="ESMTP",
            id="aBcDeFgHiJkLmNoP",
            recipient="box@here.test",
            at=AT,
        ),
    ),
    "SendGrid, filtered": (
        (
            "by filterdrecv-7f9 with SMTP id filterdrecv-7f9-1-65F2A1B3-5; "
            "2026-11-24 09:30:00.123456789 +0000 UTC m=+123456.789"
        ),
        Hop(by="filterdrecv-7f9", protocol="SMTP", id="filterdrecv-7f9-1-65F2A1B3-5", at=AT),
    ),
    "OpenSMTPD": (
        (
            "from out.sender.test (out.sender.test [192.0.2.5]) by mail.here.test (OpenSMTPD) with ESMTPS id 1a2b3c4d "
            f"(TLSv1.3:TLS_AES_256_GCM_SHA384:256:NO) for <box@here.test>; {LATER}"
        ),
        Hop(
            name="out.sender.test",
            host="out.sender.test",
            ip="192.0.2.5",
            by="mail.here.test",
            protocol="ESMTPS",
            id="1a2b3c4d",
            recipient="box@here.test",
            tls_version="TLSv1.3",
            tls_cipher="TLS_AES_256_GCM_SHA384",
            at=AT,
        ),
    ),
    "Dovecot": (
        (
            "from mx.here.test ([192.0.2.6]) by imap.here.test with LMTP id aBcDeFgHiJkLmNoPqRsT "
            f"(envelope-from <a@sender.test>) for <box@here.test>; {LATER}"
        ),
        Hop(
            name="mx.here.test",
            ip="192.0.2.6",
            by="imap.here.test",
            protocol="LMTP",
            id="aBcDeFgHiJkLmNoPqRsT",
            recipient="box@here.test",
            at=AT,
        ),
    ),
    "amavis": (
        (
            "from mx.here.test ([127.0.0.1]) by localhost (mx.here.test [127.0.0.1]) (amavis, port 10024) with ESMTP "
            f"id aB1cD2eF3gH4 for <box@here.test>; {LATER}"
        ),
        Hop(
            name="mx.here.test",
            ip="127.0.0.1",
            by="localhost",
            protocol="ESMTP",
            id="aB1cD2eF3gH4",
            recipient="box@here.test",
            at=AT,
        ),
    ),
    "fetchmail": (
        (
            "from pop.sender.test [192.0.2.8] by localhost with POP3 (fetchmail-6.4.38) for <ada@localhost> "
            f"(single-drop); {LATER}"
        ),
        Hop(
            name="pop.sender.test",
            ip="192.0.2.8",
            by="localhost",
            protocol="POP3",
            recipient="ada@localhost",
            at=AT,
        ),
    ),
    "no time": ("from a.test by b.test with SMTP", Hop(name="a.test", by="b.test", protocol="SMTP")),
    "a time that is none": ("from a.test by b.test; tomorrow", Hop(name="a.test", by="b.test")),
    "nothing": ("", Hop()),
}


@pytest.mark.parametrize(("received", "expected"), WRITTEN.values(), ids=WRITTEN)
def test_as_servers_write_it(received: str, expected: Hop) -> None:
    assert hop(received) == expected


@pytest.mark.parametrize(
    ("protocol", "encrypted"),
    [("ESMTPS", True), ("esmtpsa", True), ("ESMTP", False), ("UTF8SMTPS", True), ("HTTP", False), ("", False)],
)
def test_what_the_protocol_says_of_encryption(protocol: str, *, encrypted: bool) -> None:
    assert hop(f"by a.test with {protocol} id 1").encrypted is encrypted


def test_the_first_hop_comes_first_and_each_says_how_long_it_took() -> None:
    found = route(
        [
            ("Received", "by c.test id 4; Tue, 24 Nov 2026 09:30:10 +0000"),
            ("Subject", "by nobody; Tue, 24 Nov 2026 09:30:00 +0000"),
            ("received", "by b.test id 3; Tue, 24 Nov 2026 04:29:58 -0500"),
            ("RECEIVED", "by b.test id 2"),
            ("Received", "by a.test id 1; Tue, 24 Nov 2026 10:30:00 +0100"),
        ]
    )
    assert [(each.id, each.delay_s, each.clocks_disagree) for each in found.hops] == [
        ("1", None, False),
        ("2", None, False),
        ("3", -2, True),
        ("4", 12, False),
    ]
    assert found.total_s == 10


def test_no_hops() -> None:
    assert route([("Subject", "by a.test")]).hops == ()
    assert route([("Received", "by a.test; Tue, 24 Nov 2026 09:30:00 +0000")]).total_s is None


def test_the_hundred_nearest_to_us() -> None:
    found = route([("Received", f"by a.test id {number}") for number in range(5_000)])
    assert [found.hops[0].id, found.hops[-1].id] == ["99", "0"]


@pytest.mark.parametrize(
    "bait",
    [
        *("<", "(", ")", "[", ";", "for <", "id ", "by ", "from ", "with (", " ", "a", "1.", ":", "(using TLSv1"),
        *("(version=TLS1", "helo=", "(helo ", "a (b [", "; Tue, 24 ", ";2026-11-24 09:", "(TLS1.3:a", "\ufffd"),
    ],
)
def test_attack_041_bait_in_received_fields(bait: str) -> None:
    started = time.perf_counter()
    found = route([("Received", f"from {bait * 50_000} by {bait * 50_000}")] * 100)
    assert len(found.hops) == 100
    assert all(len(each.name) <= 255 and len(each.by) <= 255 and len(each.note) <= 255 for each in found.hops)
    assert time.perf_counter() - started < 2


def test_a_server_that_lies_about_the_year() -> None:
    found = route(
        [
            ("Received", f"by a.test; Tue, 24 Nov {year} 09:30:00 {zone}")
            for year, zone in (("99999", "+0000"), ("2026", "+9999999"), ("9999", "-2359"))
        ]
    )
    assert {each.at for each in found.hops} <= {None, AT}
