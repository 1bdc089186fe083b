import pytest

from sciml.runtime.errors import ConfigError, FormatError
from sciml.training.store import ModelStore


def test_a_store_finds_shipped_names_and_files_and_refuses_pickles(tmp_path):
    store = ModelStore("sciml.proximal")
    assert store.find("photo-grey") == store.shipped()["photo-grey"] and list(store.shipped()) == sorted(store.shipped())
    own = tmp_path / "own.safetensors"
    # the length of the JSON text that follows may look like the begin of a pickle
    own.write_bytes(b"\x80\x02" + bytes(6) + b"{}")
    assert store.find(own) == own
    own.write_bytes(b"\x80\x02}q\x00.....")
    with pytest.raises(FormatError, match="is a pickle file"):
        store.find(own)
    with pytest.raises(ConfigError, match=r"there is no model nobody: shipped are .*photo-grey"):
        store.find("nobody")
