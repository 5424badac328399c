"""A batch says in human words what it is."""

from trayagent.model.batch import Batch


def test_a_batch_says_what_it_is() -> None:
    batch = Batch("b1", "x.txt", "drop", counts={"completed": 2})
    assert repr(batch) == "<Batch b1 x.txt, running: {'completed': 2}>"
