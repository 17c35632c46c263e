"""A fit that was killed goes on, and ends where it would have ended.

The counts are those of a quick run; with the environment variable SKT_LONG they are those of the
report in benchmarks/reliability.md.
"""

import json
import os
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager

import numpy as np
import pytest
from conftest import make_texts
from sklearn.model_selection import GridSearchCV

from sktransformers import BertClassifier
from sktransformers.engine import checkpoints

LONG = "SKT_LONG" in os.environ
X, Y = make_texts(48, seed=6)

SCRIPT = textwrap.dedent(
    """
    import os, signal, sys
    import numpy as np
    sys.path.insert(0, {tests!r})
    from conftest import make_texts
    import sktransformers
    from sktransformers.engine import checkpoints
    from sktransformers.engine.net import FineTuningNet
    checkpoints._SECONDS, checkpoints._SHARE = {seconds}, 1e9

    step, left = FineTuningNet.train_step, {kill_at}

    def killed(self, *args, **kwargs):
        global left
        print("batch", flush=True)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return step(self, *args, **kwargs)

    FineTuningNet.train_step = killed
    X, Y = make_texts(48, seed=6)
    tokens = [text.split() for text in X]
    kinds = {{
        "classifier": ("BertClassifier", X, Y, "predict_proba"),
        "tagger": ("BertTagger", tokens, [["O"] * len(t) for t in tokens[:24]]
            + [["B-X"] + ["O"] * (len(t) - 1) for t in tokens[24:]], "predict_proba"),
        "regressor": ("BertRegressor", X, list(map(len, X)), "predict"),
        "embedder": ("BertEmbedder", X, Y, "transform"),
        "masked": ("BertMaskedLM", X, None, "score_samples"),
        "generator": ("GptGenerator", X, None, "score_samples"),
    }}
    name, rows, y, verb = kinds[{kind!r}]
    params = dict({params!r}, random_state=3, batch_size=8, learning_rate=3e-3)
    model = getattr(sktransformers, name)({model!r}, **params)
    model.fit(rows, y)
    found = getattr(model, verb)(rows)
    np.save({out!r}, np.concatenate(found) if isinstance(found, list) else found)
    model.history_.to_json({out!r} + ".json")
    """
)


def run(folder, *, kind, model, params, kill_at=-1, seconds=0):
    out = str(folder / "found.npy")
    script = SCRIPT.format(
        tests=os.path.dirname(os.path.dirname(__file__)),
        kind=kind,
        model=model,
        params=params,
        kill_at=kill_at,
        seconds=seconds,
        out=out,
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    if kill_at >= 0:
        assert done.returncode == -9, done.stderr[-2000:]
        return None
    assert done.returncode == 0, done.stderr[-2000:]
    return np.load(out), done.stdout.count("batch"), done.stderr


KINDS = {
    "classifier": ("classifier", "tiny_bert", {}),
    "early stopping": ("classifier", "tiny_bert", {"early_stopping": True, "max_epochs": 6}),
    "frozen": ("classifier", "tiny_bert", {"freeze": 1, "memory": True}),
    "tagger": ("tagger", "tiny_bert", {}),
    "regressor": ("regressor", "tiny_bert", {}),
    "embedder": ("embedder", "tiny_bert", {"objective": "contrastive"}),
    "masked": ("masked", "tiny_bert", {}),
    "generator": ("generator", "tiny_gpt2", {}),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", KINDS if LONG else ["early stopping", "frozen", "tagger", "generator"]
)
def test_a_killed_fit_goes_on_to_the_same_bits(name, tmp_path, request):
    kind, model, params = KINDS[name]
    model = request.getfixturevalue(model)
    params = {"max_epochs": 4, **params}
    if params.get("memory"):
        params["memory"] = str(tmp_path / "memory")
    whole, n_batches, _ = run(tmp_path, kind=kind, model=model, params=params)
    params["checkpoint_dir"] = str(tmp_path / "kept")
    rng = np.random.default_rng(len(name))
    first, second = sorted(rng.choice(np.arange(1, n_batches - 1), 2, replace=False).tolist())
    again = {"kind": kind, "model": model, "params": params}
    run(tmp_path, **again, kill_at=first)
    run(tmp_path, **again, kill_at=second - first)
    found, n_left, _ = run(tmp_path, **again)
    assert np.array_equal(found, whole)
    assert n_left == n_batches - second
    assert os.listdir(tmp_path / "kept") == []


@contextmanager
def stopping(at):
    """Fail at a batch, as a full memory would."""
    original, n_begun = checkpoints.Checkpoints.on_batch_begin, 0

    def begin(self, net, **kwargs):
        nonlocal n_begun
        original(self, net, **kwargs)
        n_begun += 1
        if n_begun > at:
            raise MemoryError("stopped")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoints.Checkpoints, "on_batch_begin", begin)
        try:
            yield
            pytest.fail("did not stop")
        except MemoryError:
            pass


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(checkpoints, "_SECONDS", 0)
    monkeypatch.setattr(checkpoints, "_SHARE", 1e9)


@pytest.fixture
def make(tiny_bert, tmp_path):
    settings = {"max_epochs": 3, "batch_size": 8, "random_state": 0, "checkpoint_dir": tmp_path}
    return lambda **params: BertClassifier(tiny_bert, **{**settings, **params})


def test_history_is_that_of_one_fit(make, often, tmp_path):
    whole = make(checkpoint_dir=None).fit(X, Y)
    with stopping(9):
        make().fit(X, Y)
    (kept,) = tmp_path.iterdir()
    assert sorted(p.name for p in kept.iterdir()) == ["checkpoint.safetensors", "lock"]
    found = make().fit(X, Y)
    same = ["train_loss", "learning_rate"]
    assert found.history_[same].equals(whole.history_[same])
    assert np.array_equal(found.predict_proba(X), whole.predict_proba(X))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_fit_that_stopped_between_an_epochs_last_batch_and_its_end(
    make, often, monkeypatch, early_stopping
):
    def stop(self, net, **kwargs):
        if self._epoch == 1:
            raise MemoryError("stopped")
        original(self, net, **kwargs)

    whole = make(checkpoint_dir=None, early_stopping=early_stopping).fit(X, Y)
    original = checkpoints.Checkpoints.on_epoch_end
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints.Checkpoints, "on_epoch_end", stop)
        with pytest.raises(MemoryError):
            make(early_stopping=early_stopping).fit(X, Y)
    found = make(early_stopping=early_stopping).fit(X, Y)
    same = ["train_loss", "valid_loss", "learning_rate"]
    assert found.history_[same].equals(whole.history_[same])
    assert np.array_equal(found.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize("change", ["rows", "labels", "weights", "parameter", "seed"])
def test_another_fit_does_not_go_on_from_it(make, often, tmp_path, change):
    with stopping(9):
        make().fit(X, Y)
    rows = [*X[:-1], "another text"] if change == "rows" else X
    labels = [*Y[:-1], Y[0]] if change == "labels" else Y
    if labels == Y and change == "labels":
        labels = [*Y[:-1], next(y for y in Y if y != Y[-1])]
    weights = np.arange(1, 49) if change == "weights" else None
    params = {"parameter": {"learning_rate": 1e-3}, "seed": {"random_state": 1}}.get(change, {})
    plain = make(checkpoint_dir=None, **params).fit(rows, labels, weights)
    found = make(**params).fit(rows, labels, weights)
    assert np.array_equal(found.predict_proba(X), plain.predict_proba(X))
    assert len(list(tmp_path.iterdir())) == 1  # of the other fit


def test_a_damaged_checkpoint_is_told_and_the_fit_begins_anew(make, often, tmp_path):
    whole = make(checkpoint_dir=None).fit(X, Y)
    with stopping(9):
        make().fit(X, Y)
    (path,) = tmp_path.glob("*/*.safetensors")
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match=r"checkpoint.safetensors.*damaged.*begins anew"):
        found = make().fit(X, Y)
    assert np.array_equal(found.predict_proba(X), whole.predict_proba(X))


def test_the_same_fit_twice_at_once(make, often, tmp_path):
    with stopping(9):
        make().fit(X, Y)
    (kept,) = tmp_path.iterdir()
    told = pytest.warns(UserWarning, match="Another process does the same fit")
    with checkpoints.FileLock(kept / "lock"), told:
        make().fit(X, Y)


def test_candidates_of_a_search_share_the_folder(make, often, tmp_path):
    grid = {"learning_rate": [1e-3, 3e-3]}
    plain = GridSearchCV(make(checkpoint_dir=None), grid, cv=2).fit(X, Y)
    with stopping(13):  # in the second fold's fit of the first candidate
        GridSearchCV(make(), grid, cv=2, error_score="raise").fit(X, Y)
    assert len(list(tmp_path.iterdir())) == 1
    found = GridSearchCV(make(), grid, cv=2, n_jobs=2).fit(X, Y)
    assert list(tmp_path.iterdir()) == []
    same = "mean_test_score"
    assert np.array_equal(found.cv_results_[same], plain.cv_results_[same])
    assert np.array_equal(found.predict_proba(X), plain.predict_proba(X))


def test_what_cannot_be(make, tmp_path):
    with pytest.raises(ValueError, match="checkpoint_dir needs a fit that can be repeated"):
        make(random_state=None).fit(X, Y)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="checkpoint_dir must be a folder that can be written to"):
        make(checkpoint_dir=tmp_path / "file").fit(X, Y)


def test_short_epochs_are_not_slowed(make, monkeypatch):
    written = []
    monkeypatch.setattr(checkpoints, "write_tensors", lambda *args, **_: written.append(1))
    monkeypatch.setattr(checkpoints, "_SPEED", 1.0)  # as if a file took minutes
    make().fit(X, Y)
    assert written == []


KILLED = """
import sys
sys.path.insert(0, sys.argv[3])
from conftest import make_texts
from skorch.callbacks import Callback
from sktransformers import BertClassifier
from sktransformers.engine import checkpoints
checkpoints._SECONDS, checkpoints._SHARE = 0, 1e9
X, Y = make_texts(48, seed=6)

class Ready(Callback):
    def on_epoch_end(self, net, **kwargs):
        print("ready", flush=True)

model = BertClassifier(sys.argv[1], max_epochs=4000, batch_size=8, random_state=0,
                       checkpoint_dir=sys.argv[2], callbacks=[Ready()])
model.fit(X, Y)
"""


@pytest.mark.slow
def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(tiny_bert, tmp_path):
    rng, places = np.random.default_rng(0), []
    tests = os.path.dirname(os.path.dirname(__file__))
    for _ in range(20 if LONG else 3):
        command = [sys.executable, "-c", KILLED, tiny_bert, str(tmp_path), tests]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0.1, 1.0))
            process.kill()
        (path,) = tmp_path.glob("*/checkpoint.safetensors")
        told = json.loads(checkpoints.read_tensors(path)[1])
        places.append(told["epoch"] * 6 + told["batch"])
    assert places == sorted(set(places))  # each went on from the last
