import pytest

from sktransformers.engine.callbacks import refuse_unsuitable
from sktransformers.engine.net import _raised_by_a_callback


class Callback:
    def on_epoch_end(self):
        raise KeyboardInterrupt


class Interrupted:
    def on_epoch_end(self):
        list(map(self.signal, [1]))

    def signal(self, _):
        raise KeyboardInterrupt


def other():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("function", "by_a_callback"),
    [(Callback().on_epoch_end, True), (Interrupted().on_epoch_end, False), (other, False)],
)
def test_an_interrupt_is_told_from_a_callbacks_wish_to_stop(function, by_a_callback):
    with pytest.raises(KeyboardInterrupt) as caught:
        function()
    assert _raised_by_a_callback(caught.value) is by_a_callback


def test_a_signal_within_a_callback_is_no_wish_to_stop():
    import os
    import signal

    class Busy:
        def on_epoch_end(self):
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(10_000_000):
                pass

    with pytest.raises(KeyboardInterrupt) as caught:
        Busy().on_epoch_end()
    assert not _raised_by_a_callback(caught.value)


def test_callbacks_are_refused_as_class_instance_or_pair():
    from skorch.callbacks import Checkpoint, EarlyStopping

    class Mine(Checkpoint):
        pass

    for callback in (Checkpoint, Checkpoint(), ("name", Checkpoint()), Mine()):
        with pytest.raises(ValueError, match="skorch's Checkpoint, .*early_stopping=True"):
            refuse_unsuitable([callback])
    refuse_unsuitable([EarlyStopping(), ("own", EarlyStopping)])
    refuse_unsuitable(None)


def test_a_validation_that_is_not_finite_is_told_with_its_epoch(tiny_bert):
    from sktransformers import BertRegressor

    model = BertRegressor(tiny_bert, learning_rate=1e12, early_stopping=True, max_epochs=2)
    with pytest.raises(FloatingPointError, match=r"must stay finite.*epoch 1"):
        model.fit(["", "", "a"], [0.0, 0.0, 0.0])
