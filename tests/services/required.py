"""What happens when a server that a test needs is not there."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, ExitStack
from typing import NoReturn, TypeVar

import pytest

from services.daemon import ServiceMissing, find_program

Service = TypeVar("Service")


def skip_or_fail(reason: str) -> NoReturn:
    """The test cannot run here: a failure with MAILKEEP_TEST_REQUIRE_SERVICES=1, a skip with its reason elsewhere."""
    if os.environ.get("MAILKEEP_TEST_REQUIRE_SERVICES") == "1":
        pytest.fail(f"required: {reason}", pytrace=False)
    pytest.skip(reason)


def required(stack: ExitStack, service: AbstractContextManager[Service]) -> Service:
    """The started service, or no test."""
    try:
        return stack.enter_context(service)
    except ServiceMissing as missing:
        skip_or_fail(str(missing))


def required_program(name: str) -> str:
    """The path of a program that the test runs, or no test."""
    try:
        return find_program(name)
    except ServiceMissing as missing:
        skip_or_fail(str(missing))
