"""Compares every sample with its golden; `--write` rewrites the goldens. Prints what differs, or what changed."""

from __future__ import annotations

import argparse
import difflib
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from samples.collection import Sample, all_samples
from samples.golden import read, render


def main() -> int:
    """The exit code: 1 when a golden differs and was not written."""
    parser = argparse.ArgumentParser(prog="python -m samples", description=__doc__)
    parser.add_argument("names", nargs="*", help="samples, as family or family/name; all of them when left out")
    parser.add_argument("--write", action="store_true", help="rewrite the goldens that differ; review the change")
    options = parser.parse_args()
    differing = 0
    with tempfile.TemporaryDirectory(prefix="mailkeep-samples-") as directory:
        for sample in _chosen(options.names):
            seen = render(read(sample.source.read_bytes(), Path(directory))) + "\n"
            golden = sample.golden.read_text("utf-8") if sample.golden.exists() else ""
            if seen == golden:
                continue
            differing += 1
            _print_difference(sample, golden, seen)
            if options.write:
                sample.golden.write_text(seen, "utf-8")
    print(f"{differing} {'written' if options.write else 'differ'}")  # noqa: T201  a command's result
    return int(bool(differing) and not options.write)


def _chosen(names: Collection[str]) -> list[Sample]:
    return [
        sample
        for sample in all_samples()
        if not names or sample.name in names or sample.name.partition("/")[0] in names
    ]


def _print_difference(sample: Sample, golden: str, seen: str) -> None:
    lines = difflib.unified_diff(golden.splitlines(), seen.splitlines(), sample.golden.name, "seen", lineterm="", n=2)
    sys.stdout.write("\n".join((f"== {sample.name}", *lines, "", "")))


if __name__ == "__main__":
    sys.exit(main())
