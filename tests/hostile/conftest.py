"""A machine whose files nobody may touch, made once for each test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.hostile.victim", "tests.hostile.refusals")

from tests.hostile.victim import Victim  # noqa: E402 (its asserts are rewritten from here on)
from tests.hostile.victim import victim as make_victim  # noqa: E402


@pytest.fixture(scope="session")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """A user's machine that looks at strangers' bundles."""
    with make_victim(tmp_path_factory.mktemp("victim") / "machine") as one:
        yield one
