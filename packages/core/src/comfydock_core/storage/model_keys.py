"""Which model each new file is: the key it gets in the index.

The key is the short hash. Where two files share one, their full digests decide: the same content
is one model with two locations; another content is a model of its own, under the first 32
characters of its blake3.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from comfydock_core.storage.folder_listing import FileState, Place, path_of
from comfydock_core.storage.hashing import SHORT_HASH_LENGTH, FullHashes
from comfydock_core.storage.model_evidence import Evidence


class Content:
    """A model while its files are gathered.

    ``states`` are the files recorded for it, still there or not; ``places`` are those that can be
    read now; ``hidden`` says that others may come back (a disk that is not plugged in).
    """

    def __init__(self, *, key: str, short: str, size: int, is_new: bool) -> None:
        self.key = key
        self.short = short
        self.size = size
        self.is_new = is_new
        self.has_learned = False
        self.blake3 = ""
        self.sha256 = ""
        self.hidden = False
        self.states: set[FileState] = set()
        self.places: list[Place] = []

    def take(self, place: Place, state: FileState) -> None:
        """Count a file as one of this model's."""
        self.places.append(place)
        self.states.add(state)

    def learn(self, digests: FullHashes) -> None:
        """Keep the digests that were computed for one of its files."""
        self.blake3, self.sha256 = digests.blake3, digests.sha256
        self.has_learned = True


class KeyAssignment:
    """Gives every fresh place its model, or says which files must be read in full first.

    ``keys`` holds what is settled; it is sound to store that and settle the rest another time.
    """

    def __init__(self, connection: sqlite3.Connection, evidence: Evidence) -> None:
        self.keys: dict[Place, str] = {}
        self.undigested: set[Place] = set()
        self._connection = connection
        self._evidence = evidence
        self._walk = evidence.walk
        self._by_short: dict[str, list[Content]] = {}

    def assign(self, fresh: Iterable[Place]) -> None:
        """Fill ``keys``; files that have to be read in full for that are ``undigested``."""
        # Renamed and linked files first: what they are is known, and others compare with them.
        unknown = [place for place in sorted(fresh) if not self._is_known_file(place)]
        # Those with digests next: a comparison that was cut short goes on from them.
        for place in sorted(unknown, key=lambda place: place not in self._evidence.digests):
            self._settle(place)

    def contents(self) -> list[Content]:
        """Return every model that was looked at."""
        return [content for contents in self._by_short.values() for content in contents]

    def _is_known_file(self, place: Place) -> bool:
        """Settle a file that the index knows by another path: same inode, time, size, samples."""
        state = self._walk.known_state(place)
        known = self._contents_of(self._evidence.shorts[place])
        content = next((content for content in known if state in content.states), None)
        if content is None or not state[2]:
            return False
        self._give(place, content)
        return True

    def _settle(self, place: Place) -> None:
        if self._is_known_file(place):
            return
        contents = self._contents_of(self._evidence.shorts[place])
        if not contents:
            self._give(place, self._new_content(place, self._evidence.shorts[place]))
        elif len(contents) == 1 and _cannot_be_compared(contents[0]):
            self._give(place, contents[0])
        else:
            self._compare(place, contents)

    def _compare(self, place: Place, contents: list[Content]) -> None:
        own = self._digests_of(place)
        are_known = [self._is_digested(content) for content in contents]
        if own is None or not all(are_known):
            return
        same = next((content for content in contents if content.blake3 == own.blake3), None)
        if same is None:
            short = self._evidence.shorts[place]
            taken = any(content.key == short for content in contents)
            same = self._new_content(place, own.blake3[:SHORT_HASH_LENGTH] if taken else short)
        self._give(place, same)

    def _is_digested(self, content: Content) -> bool:
        """Whether a content's digests are known, or nothing is left that could be read."""
        if not content.blake3 and content.places:
            digests = self._digests_of(content.places[0])
            if digests is None:
                return False
            content.learn(digests)
        return True

    def _digests_of(self, place: Place) -> FullHashes | None:
        digests = self._evidence.digests.get(place)
        if digests is None:
            self.undigested.add(place)
        return digests

    def _give(self, place: Place, content: Content) -> None:
        content.take(place, self._walk.known_state(place))
        self.keys[place] = content.key

    def _new_content(self, place: Place, key: str) -> Content:
        short = self._evidence.shorts[place]
        content = Content(key=key, short=short, size=self._walk.known_state(place)[0], is_new=True)
        digests = self._evidence.digests.get(place)
        if digests is not None:
            content.learn(digests)
        self._by_short[short].append(content)
        return content

    def _contents_of(self, short: str) -> list[Content]:
        if short not in self._by_short:
            rows = self._connection.execute(
                "SELECT hash, size, blake3, sha256 FROM models WHERE short_hash = ? ORDER BY hash",
                (short,),
            ).fetchall()
            self._by_short[short] = [self._stored_content(short, row) for row in rows]
        return self._by_short[short]

    def _stored_content(self, short: str, row: tuple[str, int, str, str]) -> Content:
        key, size, blake3, sha256 = row
        content = Content(key=key, short=short, size=size, is_new=False)
        content.blake3, content.sha256 = blake3, sha256
        for path, name, bytes_, mtime, inode in self._connection.execute(
            "SELECT path, filename, size, mtime_ns, inode"
            " FROM locations JOIN folders ON folders.id = folder WHERE hash = ?",
            (key,),
        ):
            place, state = (path, name), (bytes_, mtime, inode)
            content.states.add(state)
            seen = self._walk.state(place)
            if seen == state:
                content.places.append(place)
            elif seen is None and self._walk.may_hold(str(path_of(place))):
                content.hidden = True
        return content


def _cannot_be_compared(content: Content) -> bool:
    """Whether nothing is left that could tell its content: a touched or a restored file."""
    return not (content.blake3 or content.places or content.hidden)
