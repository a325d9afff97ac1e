"""The tables of the model index, one step of statements per version of the schema."""

from __future__ import annotations

from comfydock_core.storage.hashing import SHORT_HASH_SCHEME

# "cdmi": tells our index from any other SQLite file.
APPLICATION_ID = 0x63646D69

# A location keeps its size as well, so that a rescan compares files without joining the models.
# SQLite stores these statements word by word, which is how the scheme is named in the file.
_VERSION_1 = (
    f"""
    CREATE TABLE models (
        hash TEXT NOT NULL PRIMARY KEY,
        short_hash TEXT NOT NULL, -- scheme {SHORT_HASH_SCHEME}
        size INTEGER NOT NULL,
        blake3 TEXT NOT NULL DEFAULT '',
        sha256 TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID
    """,
    "CREATE INDEX models_by_short_hash ON models (short_hash)",
    "CREATE INDEX models_by_size ON models (size)",
    "CREATE INDEX models_by_blake3 ON models (blake3) WHERE blake3 <> ''",
    "CREATE INDEX models_by_sha256 ON models (sha256) WHERE sha256 <> ''",
    """
    CREATE TABLE locations (
        directory TEXT NOT NULL,
        relative_path TEXT NOT NULL,
        filename TEXT NOT NULL,
        hash TEXT NOT NULL REFERENCES models (hash),
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        PRIMARY KEY (directory, relative_path)
    )
    """,
    "CREATE INDEX locations_by_hash ON locations (hash)",
    "CREATE INDEX locations_by_filename ON locations (filename)",
    """
    CREATE TABLE sources (
        id INTEGER PRIMARY KEY,
        hash TEXT NOT NULL REFERENCES models (hash) ON DELETE CASCADE,
        url TEXT NOT NULL,
        type TEXT NOT NULL,
        UNIQUE (hash, url)
    )
    """,
)

MIGRATIONS = (_VERSION_1,)
"""``MIGRATIONS[n]`` brings a file of ``user_version`` n to n + 1."""
