"""Finished parts of an unfinished stage: kept on failure, ignored when stale or damaged, removed on success."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.runtime.checkpoints import Partial

ARRAYS = {"picture": np.arange(6, dtype=np.float32).reshape(2, 3)}


def fill(folder, identity, *keys):
    with pytest.raises(KeyboardInterrupt), Partial(folder, identity) as partial:
        for key in keys:
            partial.put(key, ARRAYS, {"seconds": 1.5})
        raise KeyboardInterrupt


def test_parts_survive_a_failure_and_come_back(tmp_path):
    fill(tmp_path / "solve", ["a"], "0.tv")
    assert (tmp_path / "solve.partial").is_dir() and not (tmp_path / "solve").exists()
    with Partial(tmp_path / "solve", ["a"]) as partial:
        arrays, notes = partial.get("0.tv")
        np.testing.assert_array_equal(arrays["picture"], ARRAYS["picture"])
        assert arrays["picture"].dtype == np.float32 and notes == {"seconds": 1.5}
        assert partial.get("0.fbp") is None
    assert not (tmp_path / "solve.partial").exists()


def test_put_returns_what_get_would(tmp_path):
    with Partial(tmp_path / "solve", 1) as partial:
        put = partial.put("a", ARRAYS, {"n": 2})
        got = partial.get("a")
        assert put[1] == got[1]
        np.testing.assert_array_equal(put[0]["picture"], got[0]["picture"])


@pytest.mark.parametrize("other", [["b"], ["a", "a"], {"a": 1}, None])
def test_parts_of_another_identity_are_ignored(tmp_path, other):
    fill(tmp_path / "solve", ["a"], "0.tv")
    with Partial(tmp_path / "solve", other) as partial:
        assert partial.get("0.tv") is None


def test_the_order_of_keys_is_no_other_identity(tmp_path):
    assert Partial(tmp_path, {"a": 1, "b": 2}).identity == Partial(tmp_path, {"b": 2, "a": 1}).identity


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-3], lambda data: b"", lambda data: b"not tensors", lambda data: data[:20]]
)
def test_a_damaged_part_is_made_again(tmp_path, damage):
    fill(tmp_path / "solve", ["a"], "0.tv", "0.fbp")
    for path in (tmp_path / "solve.partial").iterdir():
        path.write_bytes(damage(path.read_bytes()))
    with Partial(tmp_path / "solve", ["a"]) as partial:
        assert partial.get("0.tv") is None
        partial.put("0.tv", ARRAYS, {})
        assert partial.get("0.tv") is not None


def test_a_safetensors_file_of_something_else_is_ignored(tmp_path):
    from sciml.runtime.files import save_tensors

    partial = Partial(tmp_path / "solve", ["a"])
    save_tensors(partial._path("0.tv"), ARRAYS)
    assert partial.get("0.tv") is None


@pytest.mark.parametrize("key", ["0.tv", "../../escape", "a/b", "sigma 0.1, 50 %", "ü" * 300])
def test_any_text_is_a_key_and_stays_inside_the_store(tmp_path, key):
    with Partial(tmp_path / "solve", 1) as partial:
        partial.put(key, ARRAYS, {})
        assert partial.get(key) is not None and partial.get(key + "x") is None
        assert len(list(partial.folder.iterdir())) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["solve.partial"]


def test_two_stages_in_one_folder_do_not_meet(tmp_path):
    fill(tmp_path / "a", 1, "0.tv")
    with Partial(tmp_path / "b", 1) as partial:
        assert partial.get("0.tv") is None
    assert (tmp_path / "a.partial").exists()
