"""Settings come from the nearest file and from the environment above it, and a wrong one says where it stands."""

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcache.errors import BadSettings, NotAStore
from simcache.home import user_folder
from simcache.settings import load, located
from simcache.stores.registry import open_store
from simcache.upkeep.setup import add_remote, init, remotes, remove_remote


class TestLoad:
    """Which settings hold where."""

    def test_nothing_set(self, tmp_path: Path, home: Path) -> None:
        """Without any file the store is in the user's cache folder."""
        held = load(tmp_path, {})

        assert (os.path.join(user_folder(), "store"), None, False) == (held.store, held.file, held.durable)
        assert str(home) in held.store

    def test_nearest_file(self, tmp_path: Path) -> None:
        """The nearest file above holds, its paths count from its own folder."""
        below = tmp_path / "a" / "b"
        below.mkdir(parents=True)
        (tmp_path / "simcache.toml").write_text('store = "far"\n')
        (tmp_path / "a" / "simcache.toml").write_text('store = "near"\n')

        assert str(tmp_path / "a" / "near") == load(below, {}).store

    def test_pyproject(self, tmp_path: Path) -> None:
        """[tool.simcache] does the same; a pyproject.toml without it is passed over; simcache.toml goes first."""
        (tmp_path / "pyproject.toml").write_text('[tool.simcache]\nstore = "held"\ndurable = true\n')
        (tmp_path / "below").mkdir()
        (tmp_path / "below" / "pyproject.toml").write_text("[tool.other]\n")
        held = load(tmp_path / "below", {})
        (tmp_path / "simcache.toml").write_text('store = "first"\n')

        assert (str(tmp_path / "held"), True) == (held.store, held.durable)
        assert str(tmp_path / "first") == load(tmp_path, {}).store

    def test_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The environment has the last word; its paths count from the current folder."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "simcache.toml").write_text('store = "file"\nfar = ["x"]\n')
        held = load(tmp_path, {"SIMCACHE_STORE": "mine", "SIMCACHE_FAR": os.pathsep.join(("/a", "s3://b")), "SIMCACHE_TRUST": "yes"})

        expected = (str(tmp_path / "mine"), True)
        assert expected == (held.store, held.trust)
        if os.pathsep != ":":
            assert ("/a", "s3://b") == held.far

    def test_remotes_by_name(self, tmp_path: Path) -> None:
        """`far` may name remotes."""
        (tmp_path / "simcache.toml").write_text('store = "s"\nfar = ["lab", "other"]\n[remotes]\nlab = "s3://bucket/x"\n')

        assert ("s3://bucket/x", str(tmp_path / "other")) == load(tmp_path, {}).far

    @pytest.mark.parametrize(
        ("text", "field"),
        [
            ("store = 5", "store"),
            ('store = ""', "store"),
            ('sotre = "x"', "sotre"),
            ("far = [1]", "far[0]"),
            ("[remotes]\nlab = 3", "remotes.lab"),
            ('durable = "yes"', "durable"),
            ("store = ", "is no TOML"),
            ("store = " + "[" * 5_000, "is no TOML: it is nested too deeply"),
        ],
        ids=lambda value: value[:40],
    )
    def test_wrong(self, tmp_path: Path, text: str, field: str) -> None:
        """A wrong setting names its file and its field."""
        (tmp_path / "simcache.toml").write_text(text)

        with pytest.raises(BadSettings) as raised:
            load(tmp_path, {})
        assert str(tmp_path / "simcache.toml") in str(raised.value)
        assert field in str(raised.value)

    def test_not_text(self, tmp_path: Path) -> None:
        """A file that is no text is told as such."""
        (tmp_path / "simcache.toml").write_bytes(b"\xff\xfe")

        with pytest.raises(BadSettings, match="cannot be read"):
            load(tmp_path, {})

    @pytest.mark.parametrize("text", ["tool = 3", "x = " + "[" * 5_000, "x = "], ids=lambda text: text[:10])
    def test_a_pyproject_of_somebody_else(self, tmp_path: Path, text: str) -> None:
        """What is wrong with it concerns those who read the rest of it."""
        (tmp_path / "pyproject.toml").write_text(text)

        assert load(tmp_path, {}).file is None

    def test_wrong_variable(self, tmp_path: Path) -> None:
        """A wrong variable is named."""
        with pytest.raises(BadSettings, match="SIMCACHE_DURABLE"):
            load(tmp_path, {"SIMCACHE_DURABLE": "perhaps"})

    @pytest.mark.parametrize("url", ["s3://b/x", "kaggle://a/b", "memory://m", "http://127.0.0.1:1"])
    def test_urls_stay(self, tmp_path: Path, url: str) -> None:
        """A URL is no path."""
        assert url == located(url, tmp_path)

    def test_the_folder_behind_git_is_a_path(self, tmp_path: Path) -> None:
        """It is meant from the settings file, as any path; what it asks for stays."""
        assert f"git+lfs:{tmp_path / 'store'}?branch=a" == located("git+lfs:store?branch=a", tmp_path)
        add_remote("git", "git+lfs:store", tmp_path)

        assert 'git = "git+lfs:store"' in (tmp_path / "simcache.toml").read_text()
        assert f"git+lfs:{tmp_path / 'store'}" == load(tmp_path, {}).remotes["git"]


class TestInit:
    """What is there is never overwritten."""

    def test_makes(self, tmp_path: Path) -> None:
        """A settings file and a store that open; the workbench of the store is ignored by Git."""
        report = init(tmp_path)

        assert str(tmp_path / "store") == load(tmp_path, {}).store
        assert '{"format": 1}\n' == (tmp_path / "store" / "simcache.json").read_text()
        assert "*\n" == (tmp_path / "store" / ".local" / ".gitignore").read_text()
        assert (2, ()) == (len(report.made), report.found)
        open_store(report.store, create=False)

    def test_again(self, tmp_path: Path) -> None:
        """The second time everything is found."""
        init(tmp_path, "results")
        text = (tmp_path / "simcache.toml").read_text()
        report = init(tmp_path)

        assert ((), 2) == (report.made, len(report.found))
        assert text == (tmp_path / "simcache.toml").read_text()

    def test_another_store(self, tmp_path: Path) -> None:
        """A file that names another store is not changed."""
        init(tmp_path)

        with pytest.raises(BadSettings, match="already"):
            init(tmp_path, "elsewhere")

    @pytest.mark.parametrize("name", ["straße", "\N{SNOWMAN}\N{GRINNING FACE}", 'a"b', "a\\b", "tab\there", "\x7f"])
    def test_names_of_stores_come_back(self, tmp_path: Path, name: str) -> None:
        """Whatever characters a path has, the settings that init writes are read as that path."""
        init(tmp_path, name)

        assert str(tmp_path / name) == load(tmp_path, {}).store

    def test_folder_of_other_things(self, tmp_path: Path) -> None:
        """A folder of somebody's own does not become a store, and no settings are written for it."""
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "thesis.tex").write_text("x")

        with pytest.raises(NotAStore, match="thesis"):
            init(tmp_path, "data")
        assert not (tmp_path / "simcache.toml").exists()

    def test_url(self, tmp_path: Path) -> None:
        """A URL is written as it is, and no folder is made."""
        init(tmp_path, "s3://bucket/x")

        assert ["simcache.toml"] == [path.name for path in tmp_path.iterdir()]


FILES = {
    "plain": 'store = "s"\n',
    "table": '# mine\nstore = "s"\n\n[remotes]  # names\nlab = "/lab"   # theirs\n\n',
    "followed": '[remotes]\nlab = "/lab"\n\n# the end\n',
    "crlf": 'store = "s"\r\n[remotes]\r\nlab = "/lab"\r\n',
    "no newline": 'store = "s"',
    "empty": "",
}


class TestRemotes:
    """Names are added and removed, line by line."""

    @pytest.mark.parametrize("kind", FILES)
    def test_add_and_remove(self, tmp_path: Path, kind: str) -> None:
        """Adding writes one line (and perhaps a header); removing takes that line away; no other byte changes."""
        file = tmp_path / "simcache.toml"
        file.write_bytes(FILES[kind].encode())
        report = add_remote("new", "s3://bucket/a b", tmp_path)
        added = file.read_bytes().decode()
        remove_remote("new", tmp_path)

        assert "s3://bucket/a b" == {one.name: one.url for one in report.remotes}["new"]
        assert all(line in added.splitlines(keepends=True) for line in FILES[kind].splitlines(keepends=True) if line.endswith("\n"))
        assert "new" not in {one.name for one in remotes(tmp_path).remotes}
        if "[remotes]" in FILES[kind]:
            assert FILES[kind] == file.read_bytes().decode()

    def test_pyproject(self, tmp_path: Path) -> None:
        """In a pyproject.toml the table is [tool.simcache.remotes], and all else stays."""
        text = '[project]\nname = "x"\n\n[tool.simcache]\nstore = "s"\n\n[tool.other]\nlab = "no"\n'
        (tmp_path / "pyproject.toml").write_text(text)
        add_remote("lab", "/mnt/lab", tmp_path)
        now = (tmp_path / "pyproject.toml").read_text()

        assert now.startswith(text)
        assert {"lab": "/mnt/lab"} == tomllib.loads(now)["tool"]["simcache"]["remotes"]

    def test_path_counts_from_the_file(self, tmp_path: Path) -> None:
        """A path given below the file is written as seen from the file."""
        (tmp_path / "simcache.toml").write_text('store = "s"\n')
        (tmp_path / "below").mkdir()
        add_remote("lab", "other", tmp_path / "below")

        assert str(tmp_path / "below" / "other") == load(tmp_path, {}).remotes["lab"]

    def test_no_file(self, tmp_path: Path) -> None:
        """Without a file one is made."""
        add_remote("lab", "/lab", tmp_path)

        assert '[remotes]\nlab = "/lab"\n' == (tmp_path / "simcache.toml").read_text()

    @pytest.mark.parametrize(("name", "url"), [("a b", "/x"), ("", "/x"), ("lab", ""), ("lab", "/again")])
    def test_refused(self, tmp_path: Path, name: str, url: str) -> None:
        """A name that is taken or no name is refused, and nothing is written."""
        (tmp_path / "simcache.toml").write_text(FILES["followed"])

        with pytest.raises(BadSettings):
            add_remote(name, url, tmp_path)
        assert FILES["followed"] == (tmp_path / "simcache.toml").read_text()

    @pytest.mark.parametrize("text", ['remotes = {lab = "/lab"}\n', 'remotes.lab = "/lab"\n'])
    def test_other_layouts(self, tmp_path: Path, text: str) -> None:
        """A file that writes its remotes in another way is left to its owner."""
        (tmp_path / "simcache.toml").write_text(text)

        with pytest.raises(BadSettings, match="by hand"):
            remove_remote("lab", tmp_path)
        assert text == (tmp_path / "simcache.toml").read_text()

    def test_unknown(self, tmp_path: Path) -> None:
        """A name that is not there is told with those that are."""
        (tmp_path / "simcache.toml").write_text(FILES["table"])

        with pytest.raises(BadSettings, match="lab"):
            remove_remote("none", tmp_path)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
    @given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(lambda text: "s3://" + text))
    def test_any_url(self, tmp_path: Path, url: str) -> None:
        """Whatever is in a URL comes back."""
        (tmp_path / "simcache.toml").write_text('store = "s"\n')
        add_remote("lab", url, tmp_path)

        assert url == load(tmp_path, {}).remotes["lab"]
