"""Phase 2 of an export: digests and addresses of models, asked for only where nobody knows."""

from __future__ import annotations

import hashlib
import tomllib
from typing import Any

import pexpect
import pytest

from tests.hub.hugging_face import COMMIT
from tests.journeys.desks import Desk
from tests.journeys.terminal import exit_code
from tests.journeys.town import GATED, UNSORTED, Town, tensor_file


@pytest.fixture
def mine(desk: Desk) -> Desk:
    """A committed workflow with a model that has neither digests nor an address."""
    desk.save("mine", desk.model().name)
    desk.commit()
    return desk


def model_of(desk: Desk, name: str = "mine.safetensors") -> dict[str, Any]:
    """Return what the bundle's pyproject says of a model."""
    models = tomllib.loads(desk.members()["pyproject.toml"].decode())["tool"]["comfydock"]["models"]
    found: dict[str, Any] = next(m for m in models.values() if m["filename"] == name)
    return found


def asked_for_source(desk: Desk) -> pexpect.spawn[str]:
    """Go on until the question about the address of `mine.safetensors`."""
    child = desk.ask()
    child.expect("📊 Hash Enrichment Check:")
    child.expect("not have full hash information calculated.")
    child.expect(
        "Hash enrichment improves reproducibility and enables better\r\n"
        "model verification on import, but can take time for large models."
    )
    child.expect("Estimated time: ~1 s")
    child.expect(r"\[Y\] Calculate now  \[s\] Skip \(models marked as local-only\)\r\n")
    child.expect(r"Choice \[Y\]/s: ")
    child.sendline("")
    child.expect(r"\[\d/\d\] mine.safetensors \(8.1 KB\)")
    child.expect(rf"📦 Model: mine.safetensors \(vae/{desk.name}/mine.safetensors\)")
    child.expect("Size: 8.1 KB")
    digest = hashlib.sha256(tensor_file(f"{desk.name} mine.safetensors")).hexdigest()
    child.expect(rf"Hash \(SHA256\): {digest[:16]}\.\.\.")
    child.expect("No download source found.")
    child.expect(r"\[u\] Enter URL\r\n   \[s\] Skip \(mark as 'unknown source'\)\r\n")
    child.expect(r"Choice \[u\]/s: ")
    return child


def finish(child: pexpect.spawn[str]) -> None:
    child.expect(r"Continue\? \[Y/n\]: ")
    child.sendline("")
    child.expect("Export complete")
    assert exit_code(child) == 0


def test_a_skipped_source_is_unknown_and_not_asked_again(mine: Desk) -> None:
    child = asked_for_source(mine)
    child.sendline("s")
    child.expect("✓ committed: Pre-export: model digests and sources")
    finish(child)
    assert mine.messages()[0] == "Pre-export: model digests and sources"
    content = tensor_file(f"{mine.name} mine.safetensors")
    assert model_of(mine)["sha256_hash"] == hashlib.sha256(content).hexdigest()
    assert model_of(mine).get("sources", []) == []
    again = mine.ask("--force")
    answer = again.expect([r"Continue\? \[Y/n\]: ", "Choice"])
    assert answer == 0
    again.sendline("n")
    exit_code(again)


def test_a_typed_address_is_checked_and_asked_again(mine: Desk, town: Town) -> None:
    served = town.model_url("vae/tiny-vae.safetensors")
    child = asked_for_source(mine)
    child.sendline("u")
    child.expect("Enter download URL.*: ")
    child.sendline("nonsense")
    child.expect("✗ nonsense is no http or https address")
    child.expect("Enter download URL.*: ")
    child.sendline(served)
    child.expect("✗ another file lies there")
    child.expect("Enter download URL.*: ")
    child.sendline(town.model_url("vae/absent.safetensors"))
    child.expect("✗ ")
    child.expect("Enter download URL.*: ")
    child.sendline("")
    finish(child)
    assert model_of(mine).get("sources", []) == []


def test_an_equal_content_is_found_in_a_repository_without_asking(desk: Desk, town: Town) -> None:
    place = desk.library / "vae" / desk.name / "published.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(tensor_file(UNSORTED))
    desk.save("mine", place.name)
    desk.commit()
    # Other tests share the library, and may have had this content read before.
    desk.one.ok("model", "verify", f"vae/{desk.name}/{place.name}")
    # The town's repository is where the other models come from, so it is looked up there first.
    finish(desk.ask())
    typed = town.model_url(UNSORTED)
    sources = model_of(desk, place.name)["sources"]
    # Other tests share the library, and may have said that the gated repository has it too.
    pinned = typed.replace("/main/", f"/{COMMIT}/")
    assert set(sources) & {pinned, town.model_url(UNSORTED, GATED)}


def test_skipped_digests_make_a_model_local_only(mine: Desk) -> None:
    url = "https://models.example/mine.safetensors"
    mine.one.ok("model", "add-source", f"vae/{mine.name}/mine.safetensors", url)
    child = mine.ask()
    child.expect(r"Choice \[Y\]/s: ")
    child.sendline("s")
    finish(child)
    assert model_of(mine).get("sources", []) == []
    assert url.encode() not in b"".join(mine.members().values())


def test_without_a_person_digests_are_computed_and_nothing_is_asked(mine: Desk) -> None:
    ran = mine.export("--json")
    assert ran.exit_code == 0
    assert model_of(mine)["blake3_hash"]
    assert ran.envelope["data"]["unknown_sources"] == ["mine.safetensors"]
    assert ran.envelope["data"]["commits"] == mine.messages()[:1]
    child = mine.ask("--force")
    child.expect("No download source found")
    child.close()


def test_a_flag_skips_the_digests(mine: Desk) -> None:
    assert mine.export("--skip-hashes", "--json").exit_code == 0
    assert "sha256_hash" not in model_of(mine)


def test_two_models_that_are_one_file_elsewhere_are_named_before_anything_is_written(
    mine: Desk,
) -> None:
    twin = mine.model("Mine.safetensors")
    mine.save("twin", f"{mine.name}/{twin.name}")
    mine.commit()
    error = mine.refused("--yes")
    assert "cannot both be where it says" in error["message"]
    assert "Mine.safetensors" in error["message"]
    assert error["hint"] == "rename one of the two files, then commit again"
    mine.export("--workflows", "twin.json")
    assert "Mine.safetensors" in mine.members()["pyproject.toml"].decode()
