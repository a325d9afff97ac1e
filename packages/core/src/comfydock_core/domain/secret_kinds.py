"""Access tokens that their form gives away, by the services that hand them out.

The forms are those that the services document, or that their tokens are seen to have.
"""

from __future__ import annotations

import re

_W = r"[A-Za-z0-9]"
_D = r"[A-Za-z0-9_-]"
_X = r"[0-9a-f]"

# rule, kind, how it begins (enough to look closer), the whole form
_FORMS: tuple[tuple[str, str, str, str], ...] = (
    ("hugging-face", "Hugging Face token", "hf_|api_org_", rf"(?:hf|api_org)_{_W}{{30,40}}"),
    ("anthropic", "Anthropic key", "sk-ant-", rf"sk-ant-{_D}{{40,}}"),
    ("openrouter", "OpenRouter key", "sk-or-", rf"sk-or-v\d-{_X}{{64}}"),
    ("openai", "OpenAI key", "sk-", rf"sk-(?:(?:proj|svcacct|admin)-{_D}{{20,}})"),
    ("sk-key", "API key (OpenAI, Stability, DeepSeek …)", "sk-", rf"sk-{_W}{{32,64}}"),
    ("elevenlabs", "ElevenLabs key", "sk_", rf"sk_{_X}{{48}}"),
    ("stripe", "Stripe key", "[sr]k_", rf"[sr]k_(?:live|test)_{_W}{{16,}}"),
    ("webhook-secret", "webhook signing secret", "whsec_", r"whsec_[A-Za-z0-9+/]{24,}=*"),
    ("google-api", "Google API key", "AIza", rf"AIza{_D}{{35}}"),
    ("google-client", "Google client secret", "GOCSPX-", rf"GOCSPX-{_D}{{20,}}"),
    ("google-oauth", "Google access token", r"ya29\.|1//0", rf"(?:ya29\.|1//0){_D}{{20,}}"),
    ("aws", "AWS access key id", "A[KSBC][ICA]A", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"),
    ("replicate", "Replicate token", "r8_", rf"r8_{_W}{{37,40}}"),
    ("runpod", "RunPod key", "rpa_", rf"rpa_{_W}{{40,}}"),
    (
        "fal",
        "fal key",
        rf"{_X}{{8}}-{_X}{{4}}-",
        rf"{_X}{{8}}(?:-{_X}{{4}}){{3}}-{_X}{{12}}:{_X}{{32}}",
    ),
    (
        "github",
        "GitHub token",
        "gh[pousr]_|github_pat_",
        rf"(?:gh[pousr]_{_W}{{36,}}|github_pat_\w{{50,}})",
    ),
    (
        "gitlab",
        "GitLab token",
        "gl[a-z]{2,4}-",
        rf"gl(?:pat|dt|rt|ptt|soat|cbt|oas|ft|imt)-{_D}{{20,}}",
    ),
    ("slack", "Slack token", "xox[abeoprs]|xapp-", rf"(?:xox[abeoprs]|xapp)-{_D}{{16,}}"),
    ("discord-bot", "Discord bot token", "[MNO]", rf"[MNO]{_D}{{23,27}}\.{_D}{{6}}\.{_D}{{27,40}}"),
    ("telegram", "Telegram bot token", r"\d{8,10}:AA", rf"\d{{8,10}}:AA{_D}{{33}}"),
    ("npm", "npm token", "npm_", rf"npm_{_W}{{36}}"),
    ("pypi", "PyPI token", "pypi-A", rf"pypi-A{_D}{{50,}}"),
    ("sendgrid", "SendGrid key", r"SG\.", rf"SG\.{_D}{{20,24}}\.{_D}{{39,50}}"),
    ("groq", "Groq key", "gsk_", rf"gsk_{_W}{{40,}}"),
    ("xai", "xAI key", "xai-", rf"xai-{_W}{{60,}}"),
    ("perplexity", "Perplexity key", "pplx-", rf"pplx-{_W}{{40,}}"),
    ("together", "Together key", "tgp_v", rf"tgp_v\d_{_D}{{40,}}"),
    ("nvidia", "NVIDIA key", "nvapi-", rf"nvapi-{_D}{{40,}}"),
    ("cerebras", "Cerebras key", "csk-", rf"csk-{_W}{{40,}}"),
    ("tripo", "Tripo key", "tsk_", rf"tsk_{_D}{{30,}}"),
    ("luma", "Luma key", "luma-", rf"luma-{_X}{{8}}-{_D}{{27,}}"),
    ("meshy", "Meshy key", "msy_", rf"msy_{_W}{{30,}}"),
    ("runway", "Runway key", "key_", rf"key_{_X}{{100,}}"),
    ("comfy", "Comfy API key", "comfyui-", rf"comfyui-{_X}{{64}}"),
    ("wandb", "Weights & Biases key", "wandb_v", rf"wandb_v\d_{_D}{{30,}}"),
    ("modal", "Modal token", "a[ks]-", rf"a[ks]-{_W}{{22}}"),
    ("digitalocean", "DigitalOcean token", "do[opr]_v", rf"do[opr]_v1_{_X}{{64}}"),
    ("docker", "Docker token", "dckr_", rf"dckr_[a-z]{{3}}_{_D}{{24,}}"),
    ("vault", "Vault token", r"hv[sbr]\.", rf"hv[sbr]\.{_D}{{24,}}"),
    ("databricks", "Databricks token", "dapi", rf"dapi{_X}{{32}}"),
    ("shopify", "Shopify token", "shp[a-z]{2}_", rf"shp(?:at|ca|pa|ss)_{_X}{{32}}"),
    ("linear", "Linear key", "lin_api_", rf"lin_api_{_W}{{32,}}"),
    ("notion", "Notion token", "ntn_", rf"ntn_{_W}{{40,}}"),
    (
        "supabase",
        "Supabase token",
        "sb[ps]_|sb_secret_",
        rf"(?:sb[ps]_{_X}{{40}}|sb_secret_{_D}{{20,}})",
    ),
    ("tailscale", "Tailscale key", "tskey-", rf"tskey-{_D}{{20,}}"),
    ("age", "age key", "AGE-SECRET", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    ("twilio", "Twilio key", "SK", rf"SK{_X}{{32}}"),
    ("mailgun", "Mailgun key", "key-", rf"key-{_X}{{32}}"),
    ("doppler", "Doppler token", r"dp\.", rf"dp\.(?:pt|st|ct|sa)\.{_D}{{40,}}"),
    ("sentry", "Sentry token", "sntry", rf"sntry[su]_{_D}{{40,}}"),
    ("grafana", "Grafana token", "gl(?:sa|c)_", rf"gl(?:sa|c)_{_D}{{32,}}"),
    ("new-relic", "New Relic key", "NRAK-", r"NRAK-[A-Z0-9]{27}"),
    ("postman", "Postman key", "PMAK-", rf"PMAK-{_D}{{50,}}"),
    ("atlassian", "Atlassian token", "ATATT3", rf"ATATT3{_D}{{60,}}"),
    ("alibaba", "Alibaba access key id", "LTAI", rf"LTAI{_W}{{16,20}}"),
    ("tencent", "Tencent secret id", "AKID", rf"AKID{_W}{{32}}"),
    ("volcengine", "Volcengine access key", "AKLT", rf"AKLT{_W}{{30,}}"),
    ("jwt", "signed token (JWT)", "eyJ", rf"eyJ{_D}{{17,}}\.eyJ{_D}{{10,}}\.{_D}{{10,}}"),
)

KINDS: dict[str, str] = {
    **{rule: kind for rule, kind, _, _ in _FORMS},
    "private-key": "private key",
    "url-password": "password in an address",
    "url-token": "token in an address",
    "webhook": "webhook address",
    "assignment": "password, key or token",
    "authorization": "Authorization header",
    "civitai": "Civitai key",
    "random": "random text that may be a key",
}
"""What each rule for secrets finds, in words."""

PRIVATE_KINDS = {
    "home-folder": "home folder",
    "user-name": "user name",
    "e-mail-address": "e-mail address",
    "private-address": "address of a private network",
    "absolute-path": "path that only this machine has",
}
"""What each rule for private data finds, in words."""

# Code often writes a token after an escape (`\n`), an address after a percent sign.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"

TOKEN_START = re.compile(
    (_START + "(?:" + "|".join(dict.fromkeys(begins for _, _, begins, _ in _FORMS)) + ")").encode()
)
"""Where a token may begin; ``TOKEN`` then decides at that place."""

TOKEN = re.compile(
    "|".join(
        rf"(?P<{rule.replace('-', '_')}>{form})(?![A-Za-z0-9])" for rule, _, _, form in _FORMS
    ).encode()
)
"""One token from its first byte on; the group's name is the rule with ``_`` for ``-``."""
