import numpy as np
import pytest
import torch

from sktransformers.tasks.classification import Classification

TASK = Classification.fit(np.array(["b", "a", "c", "a"], dtype=object))


def test_labels_become_codes_and_come_back():
    assert TASK.classes.tolist() == ["a", "b", "c"]
    assert TASK.encode(np.array(["c", "a"], dtype=object)).tolist() == [2, 0]
    assert TASK.decode(np.array([[0, 1, 0], [5, 1, 2]])).tolist() == ["b", "a"]
    assert TASK.config()["id2label"] == {0: "a", 1: "b", 2: "c"}


@pytest.mark.parametrize("unknown", ["zebra", "", "aa"])
def test_unknown_labels_are_refused(unknown):
    with pytest.raises(ValueError, match=f"row 1 holds '{unknown}'. It knows"):
        TASK.encode(np.array(["a", unknown], dtype=object))


def test_the_loss_is_weighted_and_averaged_over_rows():
    logits = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    codes, weights = torch.tensor([0, 0]), torch.tensor([0.5, 1.5])
    each = -torch.log_softmax(logits, 1)[:, 0]
    expected = (0.5 * each[0] + 1.5 * each[1]) / 2
    torch.testing.assert_close(TASK.loss(logits, codes, weights), expected)
