"""What may be shown of a URL, and which addresses are public."""

from __future__ import annotations

import pytest
from comfydock_core.storage.http_addresses import is_public, redact

SHOWN = (
    ("https://huggingface.co/a/b.bin", "https://huggingface.co/a/b.bin"),
    ("https://user:pw@h.example/a?token=SECRET#x", "https://h.example/a?…"),
    ("https://h.example?token=SECRET", "https://h.example?…"),
    ("https://h.example/a#token=SECRET", "https://h.example/a"),
    ("https://SECRET@h.example", "https://h.example"),
    ("user:SECRET@h.example/a?x=SECRET", "h.example/a"),
    ("SECRET@", ""),
)


@pytest.mark.parametrize(("url", "shown"), SHOWN)
def test_a_shown_url_holds_no_secret(url: str, shown: str) -> None:
    assert redact(url) == shown


PUBLIC = ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::")
PRIVATE = (
    *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.1.1"),
    *("169.254.169.254", "224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1"),
    *("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "64:ff9b:1::1"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)
