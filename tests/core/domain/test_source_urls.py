from __future__ import annotations

import pytest
from comfydock_core.domain.source_urls import storable_url, typed_url_problem

HF = "https://huggingface.co/a/b/resolve/main/c.safetensors"
CIVITAI = "https://civitai.com/api/download/models/12?fileId=3&type=Model&format=SafeTensor"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", ""),
        (HF, HF),
        (f"{HF}?download=true", f"{HF}?download=true"),
        (f"{CIVITAI}&size=pruned&fp=fp16", f"{CIVITAI}&size=pruned&fp=fp16"),
        (f"{CIVITAI}&token=abc", CIVITAI),
        ("https://h/m?token=abc&fileId=1", "https://h/m?fileId=1"),
        ("https://h/m?api_key=a&api-key=b&access_token=c&key=d&sig=e&auth=f", "https://h/m"),
        ("https://h/m?a=1;token=abc;b=2", "https://h/m?a=1&b=2"),
        ("https://h/m?to%6Ben=abc", "https://h/m"),
        ("https://h/m?TOKEN=abc", "https://h/m"),
        (
            "https://h/m?X-Amz-Date=1&X-Amz-Signature=2&x-goog-expires=3&id=4&AWSAccessKeyId=5",
            "https://h/m?id=4",
        ),
        ("https://h/m?mirror=hf_" + "a" * 34 + "&x=1", "https://h/m?x=1"),
        ("https://h/m?to=https%3A%2F%2Fuser%3Apw%40other%2F", "https://h/m"),
        ("https://h/m?keyword=cat&monkey=1", "https://h/m?keyword=cat&monkey=1"),
        ("https://user:pw@h.org:8080/m", "https://h.org:8080/m"),
        ("https://a@b@h.org", "https://h.org"),
        ("https://h/@scope/m", "https://h/@scope/m"),
        ("https://h/m#access_token=abc", "https://h/m"),
        ("https://h/hf_" + "a" * 34 + "/m", "https://h/hf_***/m"),
        ("https://h/m;token=abc/x", "https://h/m;token=***"),
        (" https://h/m? ", "https://h/m"),
    ],
)
def test_what_opens_doors_is_not_stored(url: str, expected: str) -> None:
    assert storable_url(url) == expected
    assert storable_url(expected) == expected


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (HF, ""),
        (f"{HF}?download=true", ""),
        (f"{CIVITAI}&size=pruned&fp=fp16", ""),
        ("https://h/m?keyword=cat;monkey=1#part", ""),
        ("ftp://h/m", "is no http or https address"),
        ("https://user:pw@h/m", "carries a user name or password"),
        (f"{CIVITAI}&token=abc", "carries a token"),
        ("https://h/m?a=1;TO%6Ben=abc", "carries a token"),
        ("https://h/m?X-Amz-Signature=2", "carries a token"),
        ("https://h/m#access_token=abc", "carries a token"),
        ("https://h/hf_" + "a" * 34 + "/m", "carries a token"),
    ],
)
def test_what_may_not_be_kept_is_said(url: str, problem: str) -> None:
    told = typed_url_problem(url)
    assert told.startswith(problem)
    assert bool(told) == bool(problem)
