"""What files go through: kills, full disks, several writers, damage, strangers.

The counts are those of a quick run; with the environment variable SKT_LONG they are those of the
report in benchmarks/reliability.md.
"""

import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import make_texts

from sktransformers import BertClassifier, BertEmbedder, load
from sktransformers.exceptions import DamagedModelError

LONG = "SKT_LONG" in os.environ
X, Y = make_texts(32)


@pytest.fixture(scope="module")
def two(tiny_bert):
    """Two classifiers that differ, and what each predicts."""
    models = [
        BertClassifier(tiny_bert, max_epochs=1, random_state=seed, device="cpu").fit(X, Y)
        for seed in (0, 1)
    ]
    return models, [model.predict_proba(X) for model in models]


SAVING = """
import sys
from sktransformers import load
models = [load(path) for path in sys.argv[1:3]]
print("ready", flush=True)
while True:
    for model in models:
        model.save(sys.argv[3])
"""


def start(folders, target):
    command = [sys.executable, "-c", SAVING, *map(str, folders), str(target)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture
def folders(two, tmp_path):
    models, _ = two
    for name, model in zip("ab", models):
        model.save(tmp_path / name)
    return [tmp_path / "a", tmp_path / "b"]


def is_one_of(path, outputs):
    found = load(path).predict_proba(X)
    return any(np.array_equal(found, expected) for expected in outputs)


@pytest.mark.slow
def test_a_kill_while_saving_leaves_the_old_or_the_new_model(two, folders, tmp_path):
    rng, target = np.random.default_rng(0), tmp_path / "there" / "model"
    two[0][0].save(target)
    for _ in range(20 if LONG else 3):
        with start(folders, target) as process:
            time.sleep(rng.uniform(0.0, 0.3))
            process.kill()
        assert is_one_of(target, two[1])
    two[0][0].save(target)  # clears what the killed ones left
    for left in target.parent.iterdir():
        assert left == target or left.name.startswith(".model.")


@pytest.mark.slow
def test_four_processes_save_to_one_path_while_another_loads(two, folders, tmp_path):
    target = tmp_path / "there" / "model"
    two[0][0].save(target)
    processes = [start(folders, target) for _ in range(4 if LONG else 2)]
    try:
        assert all(is_one_of(target, two[1]) for _ in range(50 if LONG else 15))
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_save_in_the_middle_of_a_load_is_seen(two, folders, tmp_path, monkeypatch):
    from sktransformers import persistence

    read, saves = persistence._verified, [folders[1], folders[0]]

    def interrupted(folder, name, *args):
        found = read(folder, name, *args)
        if saves:  # the manifest was of one save, the next file is of another
            load(saves.pop()).save(folders[0])
        return found

    models = [load(folder) for folder in folders]
    monkeypatch.setattr(persistence, "_verified", interrupted)
    monkeypatch.setattr(sys.modules[__name__], "load", lambda path: models[path == folders[1]])
    found = persistence.load(folders[0]).predict_proba(X)
    assert any(np.array_equal(found, expected) for expected in two[1])
    assert not saves


FULL = """
import resource, signal, sys
from sktransformers import load
model = load(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    model.save(sys.argv[2])
except OSError as error:
    print("refused", error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 1000, 40_000])
def test_where_files_may_grow_no_more_the_old_model_stays(two, folders, tmp_path, room):
    target = tmp_path / "there" / "model"
    two[0][0].save(target)
    command = [sys.executable, "-c", FULL, str(folders[1]), str(target), str(room)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "refused" in done.stdout, done.stderr[-500:]
    assert np.array_equal(load(target).predict_proba(X), two[1][0])
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounts a small disk: root")
def test_a_full_disk_leaves_the_old_model(two, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)])
    if mounted.returncode:
        pytest.skip("this system does not let tests mount")
    try:
        two[0][0].save(disk / "model")
        (disk / "others").write_bytes(bytes(shutil.disk_usage(disk).free - 60_000))
        assert np.array_equal(load(disk / "model").predict_proba(X), two[1][0])
        with pytest.raises(OSError, match="No space left"):
            two[0][1].save(disk / "model")
        assert np.array_equal(load(disk / "model").predict_proba(X), two[1][0])
        assert not [p for p in disk.iterdir() if p.name.endswith(".tmp")]
    finally:
        subprocess.run(["umount", str(disk)])


@pytest.mark.parametrize("seed", range(50 if LONG else 10))
def test_a_flipped_byte_is_refused_by_the_files_name(folders, seed):
    rng = np.random.default_rng(seed)
    files = sorted(folders[0].iterdir())
    file = files[seed % len(files)]
    content = bytearray(file.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)
    with pytest.raises(DamagedModelError, match=file.name):
        load(folders[0])


@pytest.mark.parametrize("name", [b"format", b"checksum", b"files", b"estimator", b"params"])
def test_a_flipped_byte_in_any_name_of_the_manifest_is_damage(folders, name):
    file = folders[0] / "sktransformers.json"
    content = file.read_bytes()
    assert name in content
    file.write_bytes(content.replace(name, name[:-1] + b"X"))
    with pytest.raises(DamagedModelError, match=r"sktransformers\.json.*content has changed"):
        load(folders[0])


@pytest.mark.parametrize("seed", range(10 if LONG else 5))
def test_a_cut_file_is_refused_by_its_name(folders, seed):
    rng = np.random.default_rng(seed)
    files = sorted(folders[0].iterdir())
    file = files[seed % len(files)]
    content = file.read_bytes()
    file.write_bytes(content[: rng.integers(len(content))])
    with pytest.raises(DamagedModelError, match=file.name):
        load(folders[0])


class Payload:
    """Leaves a mark where it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def test_a_pickle_in_any_slot_is_not_opened(folders, tmp_path):
    canary = tmp_path / "canary"
    payload = pickle.dumps(Payload(canary))
    names = [path.name for path in folders[0].iterdir()]
    for name in [*names, "pytorch_model.bin", "optimizer.pt", "training_args.bin", "x.pkl"]:
        folder = shutil.copytree(folders[0], tmp_path / "copy")
        (folder / name).write_bytes(payload)
        began = time.perf_counter()
        if name in names:
            with pytest.raises(DamagedModelError, match=name):
                load(folder)
        else:
            load(folder)
        assert time.perf_counter() - began < 5
        assert not canary.exists()
        shutil.rmtree(folder)


def test_a_pickle_as_weights_from_elsewhere_is_refused(tiny_bert, tmp_path):
    canary = tmp_path / "canary"
    folder = shutil.copytree(tiny_bert, tmp_path / "copy")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(canary), protocol=2))
    with pytest.raises((OSError, ValueError)):
        BertEmbedder(folder).fit(["a"])
    assert not canary.exists()


def test_code_in_a_models_folder_is_not_run(tiny_bert, tmp_path, monkeypatch):
    def asked(*args):
        raise AssertionError("nobody is to be asked")

    monkeypatch.setattr("builtins.input", asked)
    canary = tmp_path / "canary"
    folder = shutil.copytree(tiny_bert, tmp_path / "copy")
    code = f"import os\nos.mkdir({str(canary)!r})\nclass Own: pass\n"
    (folder / "own.py").write_text(code)
    config = json.loads((folder / "config.json").read_text())
    classes = ("AutoConfig", "AutoModel", "AutoTokenizer", "AutoModelForSequenceClassification")
    config["auto_map"] = dict.fromkeys(classes, "own.Own")
    (folder / "config.json").write_text(json.dumps(config))
    BertClassifier(folder, max_epochs=1).fit(["a", "b"], [0, 1])  # as if the code were not there
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "unheard_of"}))
    with pytest.raises(ValueError, match="Code from a model's folder is never run"):
        BertClassifier(folder, max_epochs=1).fit(["a", "b"], [0, 1])
    assert not canary.exists()


def test_links_and_paths_that_lead_out_are_refused(folders, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    link = folders[0] / "config.json"
    link.unlink()
    link.symlink_to(secret)
    with pytest.raises(DamagedModelError, match=r"config\.json"):
        load(folders[0])


def test_a_header_that_claims_gigabytes_is_refused_at_once(folders):
    size = (10 * 2**30).to_bytes(8, "little")
    weights = folders[0] / "model.safetensors"
    weights.write_bytes(size + weights.read_bytes()[8:])
    began = time.perf_counter()
    with pytest.raises(DamagedModelError, match="model.safetensors"):
        load(folders[0])
    assert time.perf_counter() - began < 1


def test_weights_from_elsewhere_that_claim_gigabytes_are_refused_at_once(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "copy")
    weights = folder / "model.safetensors"
    weights.write_bytes((10 * 2**30).to_bytes(8, "little") + weights.read_bytes()[8:])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with pytest.raises(OSError, match="cannot be read"):
        BertEmbedder(folder).fit(["a"])
    assert time.perf_counter() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20
