"""Runs every server with every kind of mail, taking turns, and writes the medians to bench/RESULTS.md."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import uvloop

from bench.hostile_html import measure_hostile_html
from bench.hostile_mail import measure_hostile_mail
from bench.inbox import VISITS, measure_inbox
from bench.listing import measure_listing
from bench.load import send_all
from bench.login import measure_login
from bench.measure import cpu_seconds, peak_rss_mib, reset_peak_rss
from bench.recipients import measure_recipients
from bench.report import Run, machine, render
from bench.retention import measure_retention
from bench.samples import Sample, make_samples
from bench.search import measure_search
from bench.servers import Server, mailkeep_on_mariadb, mailkeep_on_sqlite, stock
from bench.wait import measure_wait
from services.daemon import ServiceMissing


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each case")
    parser.add_argument("--scale", type=float, default=1.0, help="stretches the number of messages of a run")
    parser.add_argument("--output", type=Path, default=Path("bench/RESULTS.md"))
    parser.add_argument(
        "--recipients", type=int, metavar="N", help="measure the recipient table with N rows, and no mail"
    )
    parser.add_argument(
        "--hostile-mail", type=float, metavar="MB", help="measure what hostile messages of that size cost, and no mail"
    )
    parser.add_argument("--login", type=int, metavar="N", help="compare the times of N log-ins, and no mail")
    parser.add_argument("--hostile-html", action="store_true", help="measure the sanitiser, and no mail")
    parser.add_argument("--search", type=int, metavar="N", help="measure searches among N messages, and no mail")
    parser.add_argument("--customers", type=int, default=1_000, help="whose messages those of --search are")
    parser.add_argument("--list", type=int, metavar="N", help="measure pages of a mailbox of N messages, and no mail")
    parser.add_argument(
        "--wait", type=int, nargs="?", const=100, metavar="N", help="measure N mails from their 250 to whoever waits"
    )
    parser.add_argument(
        "--inbox", type=int, nargs="?", const=10_000, metavar="N", help="measure the inbox's page with N messages in it"
    )
    parser.add_argument(
        "--retention",
        type=int,
        nargs="?",
        const=10_000,
        metavar="N",
        help="measure retention over N messages, and no load",
    )
    options = parser.parse_args()
    if options.retention:
        _report_retention(options.retention)
        return
    if options.inbox:
        _report_inbox(options.inbox)
        return
    if options.wait:
        _report_wait(options.wait)
        return
    if options.list:
        _report_listing(options.list)
        return
    if options.login:
        _report_login(options.login)
        return
    if options.search:
        _report_search(options.search, options.customers)
        return
    if options.hostile_html:
        Path("bench/HOSTILE_HTML.md").write_text(measure_hostile_html(repeat=options.repeat))
        return
    if options.hostile_mail:
        _report_hostile_mail(options.hostile_mail)
        return
    if options.recipients:
        _report_recipients(options.recipients)
        return
    samples = make_samples(scale=options.scale)
    with tempfile.TemporaryDirectory(prefix="mailkeep-bench-") as directory, ExitStack() as stack:
        yardstick, *ours = _start(stack, Path(directory))
        runs = _measure([yardstick, *ours], samples, repeat=options.repeat)
    report = render(runs, yardstick=yardstick.name)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(report)
    sys.stdout.write(report)


def _report_inbox(messages: int) -> None:
    method = (
        f"`make bench ARGS=--inbox={messages}`: `mailkeep serve` on SQLite; medians of {VISITS} visits, each first one "
        "with an empty cache. Chromium runs on the same cores. Processes that wanted a core when it began: "
        f"{os.getloadavg()[0]:.0f}."
    )
    title = f"# The inbox with {messages:,} messages"
    report = "\n".join([title, "", machine(), method, *measure_inbox(messages)]) + "\n"
    Path("bench/INBOX.md").write_text(report)
    sys.stdout.write(report)


def _report_retention(messages: int) -> None:
    method = (
        f"`make bench ARGS=--retention={messages}`: {messages:,} messages of ten customers, every fifth with an "
        "attachment, half of them expired; `mailkeep retention run` with its default settings, beside a `mailkeep "
        "serve` that receives mail, one at a time, 20 ms apart. The seconds hold the start of the command and its "
        "pauses. Mail in ms, from MAIL to the reply to its content."
    )
    report = "\n".join(["# Retention", "", machine(), method, "", *measure_retention(messages)]) + "\n"
    Path("bench/RETENTION.md").write_text(report)
    sys.stdout.write(report)


def _report_wait(mails: int) -> None:
    method = (
        f"`make bench ARGS=--wait={mails}`: {mails} mails each, one at a time, 0.15 to 0.45 s after the "
        "wait for it began, without hints 0.5 to 1.5 s. From the 250 to the answer, 0 where that was first."
    )
    report = "\n".join(["# Waiting for mail", "", machine(), method, "", *measure_wait(mails)]) + "\n"
    Path("bench/WAIT.md").write_text(report)
    sys.stdout.write(report)


def _report_listing(messages: int) -> None:
    method = f"`make bench ARGS=--list={messages}`: pages of 50, from the question to the messages; random cursors."
    title = f"# Pages of a mailbox of {messages:,} messages"
    report = "\n".join([title, "", machine(), method, *measure_listing(messages)]) + "\n"
    Path("bench/LIST.md").write_text(report)
    sys.stdout.write(report)


def _report_login(tries: int) -> None:
    title = f"# Does time tell who has an account? {tries:,} log-ins each"
    lines = [title, "", machine(), f"`make bench ARGS=--login={tries}`", ""]
    for line in measure_login(tries):
        sys.stderr.write(f"{line}\n")
        lines.append(f"- {line}")
    Path("bench/LOGIN.md").write_text("\n".join(lines) + "\n")


def _report_recipients(count: int) -> None:
    lines = [f"# {count:,} recipients", "", machine(), "`make bench ARGS=--recipients=1000000`", ""]
    for line in measure_recipients(count):
        sys.stderr.write(f"{line}\n")
        lines.append(f"- {line}")
    Path("bench/RECIPIENTS.md").write_text("\n".join(lines) + "\n")


def _report_hostile_mail(megabytes: float) -> None:
    lines = [f"# Hostile messages of {megabytes:g} MB", "", machine(), "`make bench ARGS=--hostile-mail=5`", ""]
    lines += [
        "From the first byte to stored and visible (SQLite): time, CPU, the longest time that the event loop did",
        "not come round meanwhile, and by how much the process grew.",
        "",
        "| shape | s | CPU, s | longest stall, ms | growth, MiB |",
        "|---|---:|---:|---:|---:|",
    ]
    for shape, cost in measure_hostile_mail(int(megabytes * 1_000_000)):
        stall_ms = cost.stall_s * 1000
        lines.append(f"| {shape} | {cost.seconds:.2f} | {cost.cpu_s:.2f} | {stall_ms:.0f} | {cost.growth_mib:.0f} |")
        sys.stderr.write(f"{lines[-1]}\n")
    Path("bench/HOSTILE_MAIL.md").write_text("\n".join(lines) + "\n")


def _report_search(messages: int, customers: int) -> None:
    """One mailbox has a report of its own."""
    title = f"{messages:,} messages of {customers:,} customers" if customers > 1 else f"{messages:,} messages of one"
    arguments = f"--search={messages} --customers={customers}"
    method = f"`make bench ARGS='{arguments}'`: pages of 50, from the text of the search to the messages."
    report = "\n".join([f"# Searches: {title}", "", machine(), method, *measure_search(messages, customers)]) + "\n"
    Path("bench", "SEARCH.md" if customers > 1 else "SEARCH_ONE_MAILBOX.md").write_text(report)
    sys.stdout.write(report)


def _start(stack: ExitStack, directory: Path) -> list[Server]:
    servers = [stack.enter_context(stock(directory)), stack.enter_context(mailkeep_on_sqlite(directory))]
    try:
        servers.append(stack.enter_context(mailkeep_on_mariadb(directory)))
    except ServiceMissing as missing:
        sys.stderr.write(f"without MariaDB: {missing}\n")
    return servers


def _measure(servers: list[Server], samples: list[Sample], *, repeat: int) -> list[Run]:
    """Servers take turns, so that what else the machine does falls on each of them."""
    numbers = itertools.count(1)
    runs = []
    for sample in samples:
        for server in servers:
            _run(server, Sample(sample.name, sample.content, copies=20), numbers)  # warm: caches, connections
        for _ in range(repeat):
            for server in servers:
                runs.append(_run(server, sample, numbers))
                sys.stderr.write(f"{sample.name}: {server.name}: {runs[-1].messages_per_s:.0f}/s\n")
    return runs


def _run(server: Server, sample: Sample, numbers: itertools.count[int]) -> Run:
    first_number = next(numbers) * 1_000_000  # no two messages of a benchmark are equal
    pid = server.daemon.pid
    reset_peak_rss(pid)
    cpu_before = cpu_seconds(pid)
    seconds = uvloop.run(send_all(server.port, server.recipient, sample, first_number=first_number))
    return Run(
        server=server.name,
        sample=sample.name,
        message_bytes=len(sample.copy(first_number)),
        messages_per_s=sample.copies / seconds,
        cpu_ms_per_message=(cpu_seconds(pid) - cpu_before) * 1000 / sample.copies,
        peak_rss_mib=peak_rss_mib(pid),
    )


if __name__ == "__main__":
    main()
