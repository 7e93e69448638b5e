"""Changes of a server that runs, where no server is needed to see them; e2e/test_changes.py has the rest."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from sstpca.server.changing import Changing
from sstpca.server.control import Values
from sstpca.server.errors import ServerError
from sstpca.server.listening import Listeners
from tests.support.waiting import PATIENCE


def test_a_drained_server_has_no_sockets_of_the_service_manager_to_hand_on() -> None:
    """It would end, and all sessions that are left with it."""
    asked: dict[str, Any] = {}
    control = SimpleNamespace(answer=asked.update)
    config = SimpleNamespace(arguments=["serve"])
    listeners = Listeners((), activated=True)
    parts = SimpleNamespace(control=control, config=config, listeners=listeners)
    Changing(cast(Any, parts)).answer()
    wanted: Values = {"program": ["false"], "within": PATIENCE}
    with pytest.raises(ServerError, match="the service manager listens") as refused:
        asked["restart"](wanted, None)
    assert "restart it" in str(refused.value.hint)
