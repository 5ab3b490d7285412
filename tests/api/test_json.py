"""What is JSON to us."""

from __future__ import annotations

import json

import pytest

from mailkeep_api.body import parse_json
from mailkeep_api.problems import RequestProblem


@pytest.mark.parametrize("value", ["{}", '{"a": {"b": [1, 2.5, null, true, "\\ud83d\\ude00"]}}'])
def test_json_that_everybody_reads_alike(value: str) -> None:
    assert parse_json(value.encode()) == json.loads(value)


def test_the_error_carries_nothing_of_the_body() -> None:
    with pytest.raises(RequestProblem) as caught:
        parse_json(b'{"password": hunter2}')
    assert "hunter2" not in str(caught.value)
