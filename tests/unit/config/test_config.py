"""The config files: what they mean, and what is said about bad ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sendkit_sync.api.wire import live_of
from sendkit_sync.config import Config, load_config
from sendkit_sync.core.errors import ConfigError
from sendkit_sync.core.model import Secret

HOOK = "  - name: {}\n    url: https://a.example/x\n    events: [email.sent]\n"
HEAD = "version: 1\nwebhooks:\n"


def load(folder: Path, text: str | bytes, **env: str) -> Config:
    path = folder / "webhooks.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config([str(path)], env)


def errors(folder: Path, text: str | bytes, **env: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **env)
    return "\n".join(f"{one}|{one.excerpt}" for one in caught.value.diagnostics)


def test_a_whole_file(tmp_path: Path) -> None:
    other = HOOK.format("A-${X:-y}-$${z}").replace("https://", "https://www.")
    text = HEAD + HOOK.format("' B '") + "    secret: ${S}\n    timeoutMs: 5000\n" + other
    config = load(tmp_path, text, SENDKIT_SECRET_S="s" * 32)
    assert [one.name for one in config.webhooks] == ["A-y-${z}", "B"]
    assert config.webhooks[1].secret_origin == "env:SENDKIT_SECRET_S"
    assert config.webhooks[1].settings.timeout_ms == 5000
    assert config.webhooks[0].secret_origin == "generated"
    assert config.warnings == ()
    assert config.state_path == str(tmp_path / "sendkit.state.json")
    assert len(config.digest()) == 64


def test_merges_and_unset_secret(tmp_path: Path) -> None:
    text = (
        HEAD
        + "  - &a\n    name: A\n    url: https://a.example\n    events: [email.sent]\n    secret: ${S}\n  - {<<: *a, name: B}\n"
    )
    config = load(tmp_path, text)
    assert [one.secret for one in config.webhooks] == [None, None]
    assert "SENDKIT_SECRET_S is not set" in config.warnings[0].message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: error: the file is empty"),
        ("# only\n", "the file is empty"),
        ("a: [", "not YAML"),
        ("a:\n\tb: 1\n", "2:1: error: a tab"),
        (b"a: \x00", "1:4: error: the character U+0000"),
        (b"a: \xff", "1:4: error: not UTF-8"),
        ("a: 1\na: 2\n", "2:1: error: the key `a` is given twice"),
        ("a: !x 1\n", "tags"),
        ("[" * 30_000, "nested deeper"),
        ("a: 1\n---\nb: 1\n", "second document"),
        ("a: &x [*x]\n", "inside its own anchor"),
        ("a: *x\n", "has no anchor"),
        (
            "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)),
            "aliases expand",
        ),
        ("version: 1\nwebhoks: []\n", "did you mean `webhooks`"),
        (HEAD + HOOK.format("A") + "    retryAttempts: 010\n", "must be a whole number, not text"),
        (HEAD + HOOK.format("A") + HOOK.format("' A'"), "webhooks.yaml:3:11"),
        (HEAD + HOOK.format("${NO}"), "SENDKIT_VAR_NO is not set"),
        (HEAD + "  - {name: A, url: 'ftp://x', events: [email.snt]}\n", "did you mean `email.sent`"),
        (HEAD + "  - {name: '', url: 'https://x', events: []}\n", "`name` must not be empty"),
    ],
)
def test_bad_files(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert said in errors(tmp_path, text)


def test_secrets_are_not_echoed(tmp_path: Path) -> None:
    for line in (
        "secret: hunter2${X}",
        "secret: [hunter2]",
        "secert: hunter2",
        "secret: hunter2\n    x: hunter2",
        "secret: 'hunter2",
    ):
        assert "hunter2" not in errors(tmp_path, HEAD + HOOK.format("A") + f"    {line}\n    bad: 1\n")


def test_at_most_a_thousand(tmp_path: Path) -> None:
    said = errors(tmp_path, HEAD + "  - 1\n" * 1500).splitlines()
    assert len(said) == 1001
    assert "500 more problems" in said[-1]


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_config([str(tmp_path)], {})
    with pytest.raises(ConfigError):
        load_config([str(tmp_path / "none.yaml")], {})
    (tmp_path / "a.yaml").write_text(HEAD + HOOK.format("A"))
    (tmp_path / "b.yml").write_text("version: 1\nstate: s.json\nwebhooks: []\n")
    assert load_config([str(tmp_path)], {}).state_path == str(tmp_path / "s.json")


def test_a_secret_that_is_no_text_is_an_error_that_does_not_show_it(tmp_path: Path) -> None:
    undecodable = b"\xff-canary-of-some-length".decode("utf-8", "surrogateescape")
    found = errors(tmp_path, HEAD + HOOK.format("A") + "    secret: ${S}\n", SENDKIT_SECRET_S=undecodable)
    assert "webhooks.yaml:6:13: error: the secret is not UTF-8" in found
    assert "canary" not in found


@pytest.mark.parametrize(
    ("entry", "advice"),
    [
        ("  - name: A\n   url: x\n", "is the line indented like those above it?"),
        ("  - name: A: B\n", "quote a value that contains `: `"),
        ('  - name: "A\n', "is a quote or a bracket left open?"),
    ],
)
def test_what_is_no_yaml_is_told_with_the_usual_reason(tmp_path: Path, entry: str, advice: str):
    (tmp_path / "webhooks.yaml").write_text(f"version: 1\nwebhooks:\n{entry}", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config([str(tmp_path / "webhooks.yaml")], {})
    assert advice in str(caught.value.diagnostics[0])


def names(paths: list[Path | str], **env: str) -> list[str]:
    return [webhook.name for webhook in load_config([str(path) for path in paths], env, state="s.json").webhooks]


def write(folder: Path, *files: str) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(HEAD + HOOK.format(file), encoding="utf-8")


def test_what_editors_and_other_tools_hide_in_a_folder_is_no_config(tmp_path: Path):
    write(tmp_path, "b.yaml", "a.yml", "c.txt", "sub/d.yaml")
    for hidden in (".draft.yaml", "._b.yaml", ".#b.yaml", ".sops.yaml"):
        (tmp_path / hidden).write_text("creation_rules: [", encoding="utf-8")
    assert names([tmp_path]) == ["a.yml", "b.yaml"]


def test_a_pattern_is_the_files_that_match_it_hidden_ones_and_folders_apart(tmp_path: Path):
    write(tmp_path, "teams/a/x.yaml", "teams/b/y.yaml", "teams/.c/z.yaml", "teams/d.yaml/w.yml")
    assert names([tmp_path / "teams/**/*.yaml"]) == ["teams/a/x.yaml", "teams/b/y.yaml"]
    assert names([tmp_path / "teams/[ab]/?.yaml", tmp_path / "teams/a/x.yaml"]) == ["teams/a/x.yaml", "teams/b/y.yaml"]


def test_a_path_that_is_there_is_no_pattern(tmp_path: Path):
    write(tmp_path, "a[1].yaml", "a1.yaml")
    assert names([tmp_path / "a[1].yaml"]) == ["a[1].yaml"]


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load_config([str(tmp_path / "*.yaml")], {})
    assert "*.yaml:1:1: error: the pattern matches no file" in str(caught.value.diagnostics[0])


def test_a_config_that_is_no_regular_file_needs_a_place_for_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    text = HEAD + HOOK.format("A")

    def read_from(pipe_text: str, *, state_given: bool) -> Config:
        """Read a pipe, as `-c <(sops -d webhooks.yaml)` gives one."""
        reading, writing = os.pipe()
        os.write(writing, pipe_text.encode())
        os.close(writing)
        try:
            return load_config([f"/proc/self/fd/{reading}"], {}, state="s.json" if state_given else None)
        finally:
            os.close(reading)

    with pytest.raises(ConfigError) as caught:
        read_from(text, state_given=False)
    assert "need `state` or --state" in str(caught.value.diagnostics[0])
    assert read_from(text, state_given=True).webhooks[0].name == "A"
    assert read_from(f"state: s.json\n{text}", state_given=False).state_path == "s.json"


def test_files_may_share_keys_while_one_has_the_webhooks(tmp_path: Path):
    write(tmp_path, "a.yaml")
    (tmp_path / "shared.yaml").write_text("version: 1\nworkspace: w\nx-note: [1]\n", encoding="utf-8")
    config = load_config([str(tmp_path)], {})
    assert (config.workspace, [webhook.name for webhook in config.webhooks]) == ("w", ["a.yaml"])
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "more.yaml").write_text("version: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config([str(tmp_path)], {})
    assert "none of the files has `webhooks`" in str(caught.value.diagnostics[0])


def test_the_state_of_a_store_is_no_path(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("version: 1\nstate: postgresql://db/x#main\nwebhooks: []\n", encoding="utf-8")
    assert load_config([str(tmp_path / "a.yaml")], {}).state_path == "postgresql://db/x#main"


def test_keys_that_begin_with_x_are_the_users_own(tmp_path: Path):
    entry = "    x-owner: {team: growth}\n"
    config = load(
        tmp_path, "$schema: https://x.example/s.json\nx-defaults: &d {timeoutMs: 2000}\n" + HEAD + HOOK.format("A") + entry
    )
    assert (len(config.webhooks), config.warnings) == (1, ())
    assert "unknown key `X-owner`" in errors(tmp_path, HEAD + HOOK.format("A") + "    X-owner: 1\n    x-b: 1\n")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_one_line_break_at_the_end_of_a_secret_is_left_out(end: str, tmp_path: Path):
    text = HEAD + HOOK.format("A") + "    secret: ${S}\n"
    config = load(tmp_path, text, SENDKIT_SECRET_S="s" * 32 + end)
    assert config.webhooks[0].secret == Secret("s" * 32)
    assert [one.message for one in config.warnings] == ["the secret ends with a line break, which is removed"]
    assert load(tmp_path, text, SENDKIT_SECRET_S="s" * 32 + end + end).webhooks[0].secret == Secret("s" * 32 + end)


def test_two_spellings_of_one_name_are_one_name(tmp_path: Path):
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    said = errors(tmp_path, HEAD + HOOK.format(composed) + HOOK.format(decomposed))
    assert f"the name `{composed}` is already taken" in said
    assert load(tmp_path, HEAD + HOOK.format(decomposed)).webhooks[0].name == composed
    live = live_of({"_id": "a" * 24, "name": f" {decomposed} "})
    assert live is not None
    assert live.name == composed


def test_an_emoji_is_no_name_that_misleads(tmp_path: Path):
    assert load(tmp_path, HEAD + HOOK.format("\u2764\ufe0f \U0001f469\u200d\U0001f4bb")).warnings == ()


def test_an_excerpt_shows_no_line_with_a_credential_in_a_url(tmp_path: Path):
    said = errors(
        tmp_path, HEAD + "  - {name: A, url: 'https://a.example?token=canary', events: [email.snt], retryAttempts: x}\n"
    )
    assert "canary" not in said
