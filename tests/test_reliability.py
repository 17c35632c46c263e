"""Left alone for long: sizes of pickles, threads, forks, processes, and memory that stays flat.

The counts are those of a quick run; with the environment variable SKT_LONG they are those of the
report in benchmarks/reliability.md.
"""

import gc
import io
import json
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import pytest
from conftest import make_texts
from sklearn.model_selection import GridSearchCV

from sktransformers import BertClassifier, GptGenerator, load

LONG = "SKT_LONG" in os.environ
X, Y = make_texts(40)
FORMATS = sorted(Path(__file__).with_name("samples").glob("format_*"))


@pytest.mark.parametrize("folder", FORMATS, ids=lambda folder: folder.name)
def test_stored_samples_of_every_format_open(folder):
    expected = json.loads((folder / "expected.json").read_text())
    assert len(expected) == 6
    for name, sample in expected.items():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "was written by|.* was written by sktransformers")
            model = load(folder / name)
        assert type(model).__name__ == name
        found = getattr(model, sample["verb"])(sample["rows"])
        if isinstance(sample["found"][0][0] if name == "BertTagger" else 0, str):
            assert [list(row) for row in found] == sample["found"]
        else:
            np.testing.assert_allclose(found, sample["found"], rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def real():
    """A classifier from the bundled model, and the bytes of its weights and its tokenizer."""
    model = BertClassifier(max_epochs=1, random_state=0, device="cpu").fit(X[:8], Y[:8])
    weights = sum(p.numel() * p.element_size() for p in model.model_.parameters())
    return model, weights + len(model.tokenizer_.backend_tokenizer.to_str())


def skops_bytes(model):
    import skops.io

    return skops.io.dumps(model)


def joblib_bytes(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


@pytest.mark.parametrize(
    "dump", [pickle.dumps, cloudpickle.dumps, joblib_bytes, skops_bytes], ids=lambda f: f.__name__
)
def test_a_pickle_is_hardly_larger_than_weights_and_tokenizer(real, dump):
    model, n_bytes = real
    assert len(dump(model)) <= 1.05 * n_bytes


def in_threads(works):
    errors = []

    def guarded(work):
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classifier", "generator"])
def test_many_predictions_in_threads_equal_those_in_sequence(kind, tiny_bert, tiny_gpt2):
    rng, n_calls = np.random.default_rng(0), 100 if LONG else 12
    if kind == "classifier":
        verb = BertClassifier(tiny_bert, max_epochs=1, random_state=0).fit(X, Y).predict_proba
    else:
        model = GptGenerator(tiny_gpt2, max_epochs=1, random_state=0, max_new_tokens=4)
        verb = model.fit(X).predict
    calls = [
        [
            [" ".join(rng.choice(X, rng.integers(1, 6))) for _ in range(rng.integers(1, 9))]
            for _ in range(n_calls)
        ]
        for _ in range(8)
    ]
    expected = [[verb(rows) for rows in of_thread] for of_thread in calls]
    found = [[] for _ in calls]

    def work(i):
        found[i] += [verb(rows) for rows in calls[i]]

    in_threads([lambda i=i: work(i) for i in range(8)])
    for one, other in zip(found, expected):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


FORKED = textwrap.dedent(
    """
    import os, signal, sys
    import numpy as np, torch
    torch.set_num_threads(2)
    sys.path.insert(0, sys.argv[2])
    from conftest import make_texts
    from sktransformers import BertClassifier
    torch.set_num_threads(2)
    X, Y = make_texts(40)
    model = BertClassifier(sys.argv[1], max_epochs=1, random_state=0, device="cpu").fit(X, Y)
    expected = model.predict_proba(X)
    for _ in range(int(sys.argv[3])):
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)  # a child that hangs is killed
            same = np.allclose(model.predict_proba(X), expected, atol=1e-5)
            model.fit(X, Y)
            os._exit(0 if same else 1)
        print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    """
)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_predicts_and_fits(tiny_bert):
    command = [sys.executable, "-W", "ignore", "-c", FORKED, tiny_bert, str(Path(__file__).parent)]
    n_children = 20 if LONG else 3
    done = subprocess.run([*command, str(n_children)], capture_output=True, text=True)
    assert done.stdout.split() == ["child", "0"] * n_children, done.stderr[-2000:]


def test_a_fork_during_another_threads_fit_does_not_wait_for_it():
    from sktransformers.engine import seeding

    before = seeding._ONE_AT_A_TIME
    seeding._unlock()
    assert seeding._ONE_AT_A_TIME is not before


class CountsThreads:
    """A scorer that tells how many threads its process computes with."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, estimator, X, y):
        import torch

        (Path(self.folder) / f"{os.getpid()} {torch.get_num_threads()}").touch()
        return estimator.score(X, y)


@pytest.mark.slow
def test_a_parallel_search_takes_no_more_threads_than_there_are_cores(tiny_bert, tmp_path):
    model = BertClassifier(tiny_bert, max_epochs=1, random_state=0)
    grid = {"learning_rate": [1e-4, 1e-3]}
    with joblib.parallel_config("loky", n_jobs=2):
        GridSearchCV(model, grid, cv=2, n_jobs=2, scoring=CountsThreads(tmp_path)).fit(X, Y)
    told = [tuple(map(int, path.name.split())) for path in tmp_path.iterdir()]
    threads = {pid: n for pid, n in told if pid != os.getpid()}
    assert len(threads) == 2
    assert sum(threads.values()) <= max(2, os.cpu_count())


LEAKS = textwrap.dedent(
    """
    import gc, os, sys, tempfile, warnings
    warnings.simplefilter("ignore")
    import numpy as np, torch
    torch.set_num_threads(1)
    sys.path.insert(0, sys.argv[2])
    from conftest import make_texts
    from sktransformers import BertClassifier, load
    X, Y = make_texts(40)
    rng = np.random.default_rng(0)
    model = BertClassifier(sys.argv[1], max_epochs=1, random_state=0, device="cpu")

    def predict():
        model.predict([" ".join(rng.choice(X, rng.integers(1, 9))) for _ in range(9)])

    def keep():
        with tempfile.TemporaryDirectory() as folder:
            model.save(folder + "/model")
            load(folder + "/model")

    def resident():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for name, work, n_times in (("fits", lambda: model.fit(X, Y), int(sys.argv[3])),
                                ("predicts", predict, int(sys.argv[4])),
                                ("rounds", keep, int(sys.argv[5]))):
        for _ in range(max(3, n_times // 5)):
            work()
        before = resident()
        for _ in range(n_times):
            work()
        print(name, resident() / before, flush=True)
    """
)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read as on Linux")
def test_memory_stays_flat(tiny_bert):
    counts = (50, 500, 30) if LONG else (8, 40, 5)
    command = [sys.executable, "-c", LEAKS, tiny_bert, str(Path(__file__).parent)]
    done = subprocess.run([*command, *map(str, counts)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    told = dict(line.split() for line in done.stdout.splitlines())
    assert {name: float(share) for name, share in told.items() if float(share) > 1.05} == {}
    assert len(told) == 3


WIDTHS = textwrap.dedent(
    """
    import ctypes, os, sys
    import numpy as np
    from sktransformers import BertClassifier
    rng = np.random.default_rng(0)

    def fit():
        lengths = np.exp(rng.uniform(np.log(4), np.log(250), 96)).astype(int)
        X = [" ".join(rng.choice(["good", "film", "dull", "scene", "why"], n)) for n in lengths]
        BertClassifier(max_epochs=1, random_state=0).fit(X, lengths % 2)

    def resident():
        ctypes.CDLL(None).malloc_trim(0)  # what is free already is no growth
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    for _ in range(6):
        fit()
        print(resident(), flush=True)
    """
)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read as on Linux")
def test_memory_stays_flat_with_texts_of_all_lengths():
    done = subprocess.run([sys.executable, "-c", WIDTHS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    sizes = [float(line) for line in done.stdout.split()]
    assert len(sizes) == 6
    assert sizes[-1] - sizes[1] < 200, sizes  # MiB: kernels for numbers of tokens not yet met


def test_nothing_holds_on_to_a_model_that_is_dropped(tiny_bert):
    import weakref

    model = BertClassifier(tiny_bert, max_epochs=1, random_state=0).fit(X, Y)
    model.predict(X)
    model.predict(X[:1])
    inner = weakref.ref(model.model_)
    del model
    gc.collect()
    assert inner() is None
