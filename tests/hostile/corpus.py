"""All bad bundles: a name for each, what is done to the good one, and how it is refused."""

from __future__ import annotations

from tests.hostile.bundles import Case
from tests.hostile.foreign import FOREIGN
from tests.hostile.locks import LOCKS
from tests.hostile.manifests import MANIFESTS
from tests.hostile.names import NAMES
from tests.hostile.projects import DOCUMENTS, GIT, MODELS, NODES, REQUIREMENTS
from tests.hostile.records import GZIP, HEADERS, LINKS

_TABLES = (
    NAMES,
    LINKS,
    HEADERS,
    GZIP,
    MANIFESTS,
    LOCKS,
    DOCUMENTS,
    REQUIREMENTS,
    GIT,
    NODES,
    MODELS,
    FOREIGN,
)
REFUSED: dict[str, Case] = {name: case for table in _TABLES for name, case in table.items()}
