import io
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from jaxtyping import TypeCheckError

from sciml.compression.study import anchors
from sciml.compression.study.anchors import ANCHORS, codecs_by_name, missing_reason, versions
from sciml.compression.study.quality import psnr
from sciml.runtime.errors import ConfigError, FormatError, ShapeError


def scene(rows: int = 96, columns: int = 112) -> np.ndarray:
    """A smooth scene with edges, texture and a little noise, (rows, columns, 3)."""
    y, x = np.mgrid[0:rows, 0:columns] / 16
    light = np.stack([np.sin(x + y), np.cos(1.3 * x), np.sin(0.7 * y)], -1) + (np.hypot(y - 3, x - 3) < 2)[..., None]
    noise = np.random.default_rng(0).normal(scale=0.1, size=light.shape)
    return (127 + 50 * (light + noise)).clip(0, 255).astype(np.uint8)


def installed(name: str):
    codec = ANCHORS[name]
    if reason := missing_reason(codec):
        pytest.skip(reason)
    return codec


@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
@pytest.mark.parametrize("name", ANCHORS)
def test_every_anchor_gives_the_picture_back_the_better_the_higher_the_quality(name, grey):
    codec = installed(name)
    picture = scene()[..., 1] if grey else scene()
    reached = []
    for quality in (codec.qualities[0], codec.qualities[len(codec.qualities) // 2], codec.qualities[-1]):
        content = codec.encode(picture, quality)
        assert content == codec.encode(picture, quality)
        decoded = codec.decode(content)
        assert decoded.dtype == np.uint8
        assert decoded.shape[:2] == picture.shape[:2]
        assert decoded.shape == picture.shape or (grey and decoded.shape[2:] == (3,))
        reached.append((len(content), psnr(decoded[..., 1] if decoded.ndim > picture.ndim else decoded, picture)))
    assert reached == sorted(reached)
    assert len({size for size, _ in reached}) == len(reached)


@pytest.mark.parametrize("name", ANCHORS)
def test_qualities_rise(name):
    assert len(ANCHORS[name].qualities) >= 4
    assert list(ANCHORS[name].qualities) == sorted(set(ANCHORS[name].qualities))


def test_jpeg_is_what_its_settings_say():
    with PIL.Image.open(io.BytesIO(ANCHORS["jpeg"].encode(scene(), 50))) as picture:
        assert picture.info["progressive"]
        assert [layer[1:3] for layer in picture.layer] == [(2, 2), (1, 1), (1, 1)]


def test_jpeg_2000_keeps_the_rate_and_transforms_the_colours():
    codec, picture = installed("jpeg2000"), np.repeat(scene(256, 256)[..., :1], 3, axis=-1)
    content = codec.encode(picture, 1.0)
    assert 0.9 < 8 * len(content) / 256**2 <= 1.0
    assert content[:4] == b"\xff\x4f\xff\x51"  # a raw codestream
    plain = replace(codec, options=lambda quality, channels: {**codec.options(quality, channels), "mct": 0})
    assert psnr(codec.decode(content), picture) > 2 + psnr(plain.decode(plain.encode(picture, 1.0)), picture)


def test_an_absent_library_is_told_and_nothing_else(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    (codec,) = codecs_by_name(["jpegxl"])
    assert missing_reason(codec) == "not installed: it needs the package pillow-jxl-plugin"
    with pytest.raises(ConfigError, match="jpegxl is not installed"):
        codec.encode(scene(), 50)


def test_bad_input_is_refused():
    with pytest.raises((ShapeError, TypeCheckError)):
        ANCHORS["jpeg"].encode(np.zeros((8, 8, 4), np.uint8), 50)
    for content in (b"", b"no picture", ANCHORS["jpeg"].encode(scene(), 50)[:200]):
        with pytest.raises(FormatError, match="no jpeg file"):
            ANCHORS["jpeg"].decode(content)
    with pytest.raises(FormatError):  # a good file of another format
        ANCHORS["jpeg"].decode(installed("webp").encode(scene(), 50))


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(
        ConfigError, match=r"no codec is called 'gif'; there are jpeg, webp, jpeg2000, avif, jpegxl, and nic:MODEL"
    ):
        codecs_by_name(["jpeg", "gif"])
    with pytest.raises(ConfigError, match="webp is named twice"):
        codecs_by_name(["webp", "jpeg", "webp"])


@pytest.fixture
def own_codec(monkeypatch):
    """A stand-in for the learned codec."""

    class Codec:
        model_id = b"\x01\xff"

        @staticmethod
        def load(name, refine):
            if name != "photo":
                raise ConfigError(f"there is no model {name}")
            return Codec()

        def encode(self, picture, *, quality, tune):
            assert tune == "psnr"
            return ANCHORS["jpeg"].encode(picture, quality)

        def decode(self, content):
            return ANCHORS["jpeg"].decode(content)

    monkeypatch.setattr("sciml.compression.codecs.codec.Codec", Codec)
    anchors._load_own.cache_clear()
    yield
    anchors._load_own.cache_clear()


def test_our_own_models_come_by_name(own_codec):
    jpeg, own = codecs_by_name(["jpeg", "nic:photo"])
    assert (jpeg.name, own.name, own.settings) == ("jpeg", "nic:photo", "learned codec, model photo 01ff")
    assert isinstance(own, anchors.Codec)
    assert missing_reason(own) is None
    assert pickle.loads(pickle.dumps(own)) == own
    content = own.encode(scene(), own.qualities[5])
    assert content == jpeg.encode(scene(), own.qualities[5])
    assert np.array_equal(own.decode(content), jpeg.decode(content))
    with pytest.raises(ConfigError, match="there is no model other"):
        codecs_by_name(["nic:other"])


def test_versions_are_told():
    assert versions()["pillow"] == PIL.__version__
    assert all(versions().values())


def test_the_comparison_loads_torch_only_for_its_metric():
    program = "import sys, sciml.compression.study.bench; print('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
