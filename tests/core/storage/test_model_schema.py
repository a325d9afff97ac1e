from __future__ import annotations

import sqlite3
from pathlib import Path

from comfydock_core.events import SilentReporter
from comfydock_core.storage.hashing import short_hash
from comfydock_core.storage.model_index import ModelIndex
from comfydock_core.storage.model_schema import APPLICATION_ID

from tests.core.storage.model_files import Recorder, roots, write_model

# As the program wrote them that used version 1.
VERSION_1 = """
CREATE TABLE models (
    hash TEXT NOT NULL PRIMARY KEY, short_hash TEXT NOT NULL, size INTEGER NOT NULL,
    blake3 TEXT NOT NULL DEFAULT '', sha256 TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX models_by_short_hash ON models (short_hash);
CREATE INDEX models_by_size ON models (size);
CREATE INDEX models_by_blake3 ON models (blake3) WHERE blake3 <> '';
CREATE INDEX models_by_sha256 ON models (sha256) WHERE sha256 <> '';
CREATE TABLE locations (
    directory TEXT NOT NULL, relative_path TEXT NOT NULL, filename TEXT NOT NULL,
    hash TEXT NOT NULL REFERENCES models (hash), size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    PRIMARY KEY (directory, relative_path)
);
CREATE INDEX locations_by_hash ON locations (hash);
CREATE INDEX locations_by_filename ON locations (filename);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL REFERENCES models (hash) ON DELETE CASCADE,
    url TEXT NOT NULL, type TEXT NOT NULL, UNIQUE (hash, url)
);
"""
NAMES = ("checkpoints/sd/xl/a.safetensors", "checkpoints/b.safetensors", "c.gguf")


def _write_version_1(path: Path, library: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    for name in NAMES:
        file = write_model(library / name, name.encode())
        status, key = file.stat(), short_hash(file)
        connection.execute(
            "INSERT INTO models VALUES (?, ?, ?, ?, '')", (key, key, status.st_size, "0" * 64)
        )
        connection.execute(
            "INSERT INTO locations VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(str(library), name, file.name, key),
                *(status.st_size, status.st_mtime_ns, status.st_ino),
            ),
        )
        connection.execute(
            "INSERT INTO sources (hash, url, type) VALUES (?, ?, 'custom')",
            (key, f"https://h.example.com/{name}"),
        )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


def test_an_index_of_version_1_keeps_everything(tmp_path: Path) -> None:
    library = tmp_path / "models"
    _write_version_1(tmp_path / "index.db", library)
    with ModelIndex(tmp_path / "index.db") as index:
        before = index.all()
        assert [model.relative_path for model in before] == sorted(NAMES)
        for model in before:
            assert Path(model.path) == library / model.relative_path
            assert index.get_model(model.hash) == model
            assert model.blake3_hash == "0" * 64
            assert index.get_model_sources(model.hash) == (
                f"https://h.example.com/{model.relative_path}",
            )
        recorder = Recorder()
        result = index.scan(roots(library), recorder)
        assert (result.added, result.changed, result.removed, result.unchanged) == (0, 0, 0, 3)
        assert recorder.events == []
        assert index.all() == before


def test_what_was_migrated_still_sees_a_change(tmp_path: Path) -> None:
    library = tmp_path / "models"
    _write_version_1(tmp_path / "index.db", library)
    (library / "c.gguf").unlink()
    write_model(library / "checkpoints" / "new.safetensors", b"new")
    with ModelIndex(tmp_path / "index.db") as index:
        result = index.scan(roots(library), SilentReporter())
        assert (result.added, result.changed, result.removed, result.unchanged) == (1, 0, 1, 2)
