"""docs/API.md, line by line: its commands are run in its order, and print what it says they print."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from services.mailkeep import COMMAND, PASSWORD, Mailkeep
from services.required import required_program

TUTORIAL: Final = Path(__file__).parents[2] / "docs" / "API.md"
ANYTHING: Final = "…"
END: Final = "--- end of the commands"


@dataclass(frozen=True, slots=True)
class Step:
    """Commands, and the JSON values that they print; None where the page shows nothing."""

    commands: str
    printed: list[Any] | None


def steps() -> list[Step]:
    blocks = re.findall(r"^```(sh|json)\n(.*?)^```$", TUTORIAL.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    found: list[Step] = []
    for kind, text in blocks:
        if kind == "sh":
            found.append(Step(text, None))
        else:
            found[-1] = Step(found[-1].commands, values_in(text))
    return found


def values_in(text: str) -> list[Any]:
    """JSON values one after the other, as jq prints them."""
    decoder, values, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        values.append(value)
        rest = rest[end:].strip()
    return values


def fits(shown: Any, printed: Any) -> bool:
    if shown == ANYTHING:
        return True
    if isinstance(shown, dict) and isinstance(printed, dict):
        return shown.keys() == printed.keys() and all(fits(shown[name], printed[name]) for name in shown)
    if isinstance(shown, list) and isinstance(printed, list):
        return len(shown) == len(printed) and all(map(fits, shown, printed))
    return bool(shown == printed)


def script(found: list[Step], values: dict[str, str]) -> str:
    """One shell for all of them; the first step's values are those of this installation."""
    first = found[0].commands
    assert set(re.findall(r"^(\w+)=", first, re.MULTILINE)) == {name for name in values if name.isupper()}
    ours = "".join(f"{name}='{value}'\n" for name, value in values.items() if name.isupper())
    rest = "".join(f"{step.commands}\necho '{END}'\n" for step in found[1:])
    return f"set -eu\n{ours}{rest.replace('127.0.0.1:8025', values['smtp'])}"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_tutorial(mailkeep: Mailkeep, tmp_path: Path) -> None:
    for program in ("curl", "jq"):
        required_program(program)
    customer = mailkeep.create_customer("you@mail.test")
    mailkeep.start_serve()
    found = steps()
    values = {
        "API": f"{mailkeep.url}/api/v1",
        "EMAIL": customer.email,
        "PASSWORD": PASSWORD,
        "smtp": f"127.0.0.1:{mailkeep.smtp_port}",
    }
    environment = {**mailkeep.environment, "PATH": f"{COMMAND.parent}:{mailkeep.environment['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script(found, values)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    outputs = done.stdout.split(f"{END}\n")
    assert done.returncode == 0, (outputs[-1], done.stderr)
    for step, output in zip(found[1:], outputs, strict=False):
        if step.printed is not None:
            assert fits(step.printed, values_in(output)), (step.commands, output)
