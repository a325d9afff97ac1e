"""The tables of the model index, one step of statements per version of the schema."""

from __future__ import annotations

from comfydock_core.storage.hashing import SHORT_HASH_SCHEME

# "cdmi": tells our index from any other SQLite file.
APPLICATION_ID = 0x63646D69

TABLES = frozenset({"models", "locations", "sources"})
"""Tables that a file of any version has."""

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

# A folder's path is the true one, its prefix begins the paths that users see: they differ by more
# than the models directory where all of a root is of one category. The digest stands for all of a
# folder's locations (NULL where it cannot), so that an unchanged folder needs no look at them.
_VERSION_2 = (
    """
    CREATE TABLE folders (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        prefix TEXT NOT NULL,
        digest BLOB
    )
    """,
    "ALTER TABLE locations RENAME TO old_locations",
    "ALTER TABLE old_locations ADD COLUMN prefix TEXT",
    "ALTER TABLE old_locations ADD COLUMN path TEXT",
    """
    UPDATE old_locations
        SET prefix = substr(relative_path, 1, length(relative_path) - length(filename))
    """,
    "UPDATE old_locations SET path = rtrim(directory || '/' || prefix, '/')",
    "INSERT INTO folders (path, prefix) SELECT DISTINCT path, prefix FROM old_locations",
    "DROP INDEX locations_by_hash",
    "DROP INDEX locations_by_filename",
    """
    CREATE TABLE locations (
        folder INTEGER NOT NULL REFERENCES folders (id),
        filename TEXT NOT NULL,
        hash TEXT NOT NULL REFERENCES models (hash),
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        PRIMARY KEY (folder, filename)
    ) WITHOUT ROWID
    """,
    """
    INSERT INTO locations (folder, filename, hash, size, mtime_ns, inode)
        SELECT folders.id, filename, hash, size, mtime_ns, inode
        FROM old_locations JOIN folders ON folders.path = old_locations.path
    """,
    "DROP TABLE old_locations",
    "CREATE INDEX locations_by_hash ON locations (hash)",
    "CREATE INDEX locations_by_filename ON locations (filename)",
)

MIGRATIONS = (_VERSION_1, _VERSION_2)
"""``MIGRATIONS[n]`` brings a file of ``user_version`` n to n + 1."""

MISTYPED = """
    SELECT EXISTS (SELECT 1 FROM models WHERE hash >= x'')
        OR EXISTS (SELECT 1 FROM models WHERE short_hash >= x'')
        OR EXISTS (SELECT 1 FROM models WHERE blake3 <> '' AND blake3 >= x'')
        OR EXISTS (SELECT 1 FROM models WHERE sha256 <> '' AND sha256 >= x'')
        OR EXISTS (SELECT 1 FROM models WHERE size >= '')
        OR EXISTS (SELECT 1 FROM folders WHERE path >= x'')
        OR EXISTS (SELECT 1 FROM folders WHERE typeof(prefix) <> 'text')
        OR EXISTS (SELECT 1 FROM locations WHERE filename >= x'')
        OR EXISTS (SELECT 1 FROM locations WHERE hash >= x'')
        OR EXISTS (SELECT 1 FROM sources WHERE hash >= x'')
        OR EXISTS (SELECT 1 FROM sources WHERE typeof(url) <> 'text')
"""
"""Whether bytes stand where all of this code expects a text: the columns take anything.

SQLite sorts numbers before texts and texts before bytes, so that the indexes tell at once.
"""
