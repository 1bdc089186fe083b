import pytest
import torch
from jaxtyping import install_import_hook

# Shapes and types of every call are checked here and only here; must come before the modules are imported.
install_import_hook("sciml.training", "beartype.beartype")


@pytest.fixture(autouse=True)
def _one_thread():
    """Bit-identity holds at equal thread counts; one thread also leaves the other cores alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
