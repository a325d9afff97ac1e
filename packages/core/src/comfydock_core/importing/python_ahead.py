"""The Python packages of an import, installed while ComfyUI is checked out."""

from __future__ import annotations

from comfydock_core.errors import ComfydockError
from comfydock_core.importing.import_steps import Work, install_packages, installed_manifest


class PythonAhead:
    """Installs for all nodes of the plan; what came of it counts in the step for Python."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._lock = ""
        self._error: ComfydockError | None = None

    def install(self) -> None:
        """Install what the plan asks for if no node fails; a failure is kept for later."""
        try:
            self._lock = install_packages(
                self._work, installed_manifest(self._work, failed=frozenset())
            )
        except ComfydockError as error:
            self._error = error

    def lock(self) -> str:
        """Return the lock of what was installed, ``""`` before that; raise what kept it from it."""
        if self._error:
            raise self._error
        return self._lock
