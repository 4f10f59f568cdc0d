"""What tests of bad files ask of a refusal."""

import pytest

from napari_vae.core.errors import ReadError
from napari_vae.layers.reader import read_layers


def assert_refused(path, read=read_layers):
    with pytest.raises(ReadError) as caught:
        read(str(path))
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400 and path.name.split("/")[0] in text
