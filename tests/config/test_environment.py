"""The admin key and the pepper: from the environment, good enough, and never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaiarouter.config.loader import load, load_mapping

GOOD = "f3a9c07be15d4826a1bb0e6cd7a94f20"
NAMES = ("GAIAROUTER_ADMIN_KEY", "GAIAROUTER_KEY_PEPPER")


def test_both_come_from_the_environment_and_print_as_stars() -> None:
    loaded = load_mapping({"routes": []}, environ=dict.fromkeys(NAMES, GOOD))
    assert loaded.settings is not None
    auth = loaded.settings.auth
    assert auth.admin_key is not None
    assert auth.pepper is not None
    assert (auth.admin_key.reveal(), auth.pepper.reveal()) == (GOOD, GOOD)
    assert GOOD not in repr(loaded)


@pytest.mark.parametrize("environ", [{}, dict.fromkeys(NAMES, "")])
def test_without_them_there_are_none(environ: dict[str, str]) -> None:
    loaded = load_mapping({"routes": []}, environ=environ)
    assert loaded.settings is not None
    assert (loaded.settings.auth.admin_key, loaded.settings.auth.pepper) == (None, None)


def test_they_may_stand_in_the_dotenv_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"GAIAROUTER_ADMIN_KEY={GOOD}\n")
    path = tmp_path / "gaiarouter.yaml"
    path.write_text("routes: []\n")
    settings = load(path).settings
    assert settings is not None
    assert settings.auth.admin_key is not None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tiny-7", "too short"),
        ("sk-1234", "too short"),
        ("sk-1234" * 6, "everybody knows"),
        ("changeme-changeme-changeme-changeme", "everybody knows"),
        ("ADMIN_admin_ADMIN_admin_ADMIN_admin", "everybody knows"),
        ("a" * 40, "everybody knows"),
        ("f3a9c07be15d4826 a1bb0e6cd7a94f20", "cannot be sent"),
        ("f3a9c07be15d4826\x00a1bb0e6cd7a94f20", "cannot be sent"),
        ("é3a9c07be15d4826a1bb0e6cd7a94f20", "cannot be sent"),
    ],
)
def test_a_bad_one_is_refused_by_name_and_not_repeated(name: str, text: str, words: str) -> None:
    loaded = load_mapping({"routes": []}, environ={name: text})
    (problem,) = loaded.errors
    assert str(problem).startswith(f"{name}: ")
    assert words in str(problem)
    assert text not in str(problem)


def test_an_admin_key_does_not_look_like_the_store_s(tmp_path: Path) -> None:
    loaded = load_mapping({"routes": []}, environ={"GAIAROUTER_ADMIN_KEY": "sk-gaia-" + GOOD})
    assert "begins with sk-gaia-" in str(loaded.errors[0])
