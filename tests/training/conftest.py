import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    """Bit-identity holds at equal thread counts; one thread also leaves the other cores alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
