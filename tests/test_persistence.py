import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import make_texts

from sktransformers import BertClassifier, load
from sktransformers.exceptions import DamagedModelError
from sktransformers.persistence import MANIFEST

X, Y = make_texts(48)
NEW, _ = make_texts(20, seed=1)


@pytest.fixture(scope="module")
def fitted(tiny_bert):
    return BertClassifier(
        tiny_bert, max_epochs=2, class_weight={"animals": 2, "colours": 1.5}, random_state=0
    ).fit(X, Y, X_val=NEW, y_val=["animals"] * 10 + ["colours"] * 10)


@pytest.fixture
def folder(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    return tmp_path / "model"


def test_everything_comes_back(fitted, folder):
    back = BertClassifier.load(str(folder))
    np.testing.assert_array_equal(back.predict_proba(NEW), fitted.predict_proba(NEW))
    assert back.get_params() == fitted.get_params()
    assert back.history_.to_dict("list").keys() == fitted.history_.to_dict("list").keys()
    np.testing.assert_array_equal(back.history_, fitted.history_)
    assert (back.best_epoch_, back.best_score_) == (fitted.best_epoch_, fitted.best_score_)
    assert back.n_iter_ == 2


@pytest.mark.parametrize("labels", [[1, 2], [True, False], [0.0, 1.0], ["1", "2"]])
def test_labels_keep_their_types(tiny_bert, tmp_path, labels):
    y = np.array([labels[label == "animals"] for label in Y])
    model = BertClassifier(tiny_bert, max_epochs=1, random_state=0).fit(X, y)
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert back.classes_.dtype == model.classes_.dtype
    assert back.predict(NEW).tolist() == model.predict(NEW).tolist()
    assert type(back.predict(NEW).tolist()[0]) is type(labels[0])


@pytest.mark.slow
def test_a_fresh_process_without_the_source_folder(fitted, tiny_bert, tmp_path):
    source = shutil.copytree(tiny_bert, tmp_path / "source")
    model = BertClassifier(str(source), max_epochs=1, random_state=0).fit(X, Y)
    expected = model.predict_proba(NEW)
    model.save(tmp_path / "model")
    shutil.rmtree(source)
    path = str(tmp_path / "model")
    code = f"import sktransformers as s; print(s.load({path!r}).predict_proba({NEW!r}).tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert eval(done.stdout) == expected.tolist()


def test_transformers_opens_the_folder(fitted, folder):
    from transformers import pipeline

    pipe = pipeline("text-classification", model=str(folder), device="cpu", top_k=None)
    found = {d["label"]: d["score"] for d in pipe([NEW[0]])[0]}
    expected = dict(zip(fitted.classes_, fitted.predict_proba(NEW[:1])[0]))
    assert found == pytest.approx(expected, abs=0.02)


def test_a_folder_is_replaced_whole_and_nothing_else_is_left(fitted, folder):
    (folder / "stray").write_text("from an older version")
    fitted.save(folder)
    assert not (folder / "stray").exists()
    assert [p.name for p in folder.parent.iterdir()] == ["model"]
    np.testing.assert_array_equal(load(folder).predict_proba(NEW), fitted.predict_proba(NEW))


def test_without_an_atomic_exchange(fitted, folder, monkeypatch):
    monkeypatch.setattr("sktransformers.folders._exchange", lambda one, other: False)
    fitted.save(folder)
    assert [p.name for p in folder.parent.iterdir()] == ["model"]
    folder.rename(folder.with_name(".model.old"))  # cut off between its two renames
    np.testing.assert_array_equal(load(folder).predict_proba(NEW), fitted.predict_proba(NEW))


def test_folders_of_others_are_never_written_to(fitted, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="holds other files. Choose another"):
        fitted.save(tmp_path)
    with pytest.raises(FileExistsError, match="is a file"):
        fitted.save(tmp_path / "thesis.tex")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / "new").mkdir()
    fitted.save(tmp_path / "new")
    assert (tmp_path / "new" / MANIFEST).exists()


def test_a_save_that_fails_leaves_the_old_model(fitted, folder, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        fitted.save(folder)
    assert [p.name for p in folder.parent.iterdir()] == ["model"]
    np.testing.assert_array_equal(load(folder).predict_proba(NEW), fitted.predict_proba(NEW))


def test_nothing_is_pickled(folder):
    assert {p.suffix for p in folder.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("seed", range(12))
def test_a_changed_byte_is_noticed_and_its_file_named(folder, seed):
    rng = np.random.RandomState(seed)
    files = sorted(folder.iterdir())
    file = files[seed % len(files)]
    content = bytearray(file.read_bytes())
    content[rng.randint(len(content))] ^= 1 << rng.randint(8)
    file.write_bytes(content)
    with pytest.raises(DamagedModelError, match=file.name):
        load(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", MANIFEST])
def test_a_short_or_missing_file_is_noticed(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(DamagedModelError, match=name):
        load(folder)
    (folder / name).unlink()
    with pytest.raises((DamagedModelError, FileNotFoundError), match=name):
        load(folder)


def rewrite(folder, **changes):
    """Change the manifest as somebody would who also mends its checksum."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest.update(changes, checksum="0" * 64)
    text = json.dumps(manifest)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / MANIFEST).write_text(text.replace("0" * 64, digest))


def test_other_versions_warn_and_other_formats_refuse(fitted, folder):
    versions = {"sktransformers": "0.0.9"}
    rewrite(folder, versions=versions)
    with pytest.warns(
        UserWarning, match=r"written by sktransformers 0.0.9 and is read by 0\."
    ) as told:
        load(folder)
    assert told[0].filename == __file__
    rewrite(folder, format=2)
    with pytest.raises(DamagedModelError, match="must be in format 1, but it is in format 2"):
        load(folder)


def test_a_wrong_class_is_answered_with_the_right_one(folder):
    class Other(BertClassifier):
        pass

    with pytest.raises(TypeError, match=r"holds a BertClassifier. Use BertClassifier.load\("):
        Other.load(folder)
    rewrite(folder, estimator="os.system")
    with pytest.raises(DamagedModelError, match="that this version knows"):
        load(folder)


def test_files_outside_the_folder_are_not_read(folder, tmp_path):
    (tmp_path / "secret").write_text("x")
    manifest = json.loads((folder / MANIFEST).read_text())
    digest = hashlib.sha256(b"x").hexdigest()
    rewrite(folder, files={**manifest["files"], "../secret": digest})
    with pytest.raises(DamagedModelError, match="secret"):
        load(folder)


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a folder that save"):
        load(tmp_path / "nothing")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="must be a folder that save"):
        load(tmp_path / "file")
    with pytest.raises(TypeError, match="path must be that of a folder"):
        load(3)
    with pytest.raises(FileNotFoundError, match="pass its path as model="):
        load(tmp_path)


def test_code_is_left_out_with_a_warning(tiny_bert, tmp_path):
    from skorch.callbacks import GradientNormClipping

    model = BertClassifier(
        tiny_bert,
        max_epochs=1,
        callbacks=[GradientNormClipping(1.0)],
        net_params={"optimizer__betas": (0.9, 0.99)},
        random_state=np.random.RandomState(0),
    ).fit(X, Y)
    with pytest.warns(
        UserWarning, match="leaves out .*: callbacks, net_params, random_state"
    ) as told:
        model.save(tmp_path / "model")
    assert told[0].filename == __file__
    assert load(tmp_path / "model").callbacks is None


def test_unfitted_is_not_saved(tmp_path):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        BertClassifier().save(tmp_path / "model")


def test_a_device_that_is_not_here(fitted, folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    params = dict(manifest["params"]["dict"])
    rewrite(
        folder, params={"dict": [[k, "cuda:7" if k == "device" else v] for k, v in params.items()]}
    )
    with pytest.warns(
        UserWarning, match="device='cuda:7' is not here; the model was put onto 'cpu'"
    ):
        back = load(folder)
    np.testing.assert_array_equal(back.predict_proba(NEW), fitted.predict_proba(NEW))


def test_metadata_requests_are_pickled(tiny_bert):
    import pickle

    model = BertClassifier(tiny_bert, max_epochs=1, random_state=0)
    from sklearn import config_context

    with config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=True).fit(X, Y)
        back = pickle.loads(pickle.dumps(model))
        assert back.get_metadata_routing().fit.requests["sample_weight"] is True


@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
def test_every_precision_keeps_its_bits(tiny_bert, tmp_path, precision):
    import pickle

    model = BertClassifier(tiny_bert, max_epochs=1, precision=precision, random_state=0).fit(X, Y)
    expected = model.predict_proba(NEW)
    model.save(tmp_path / "model")
    model.set_params(precision="auto")  # what was decided in fit stays
    for back in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(back.predict_proba(NEW), expected)


def test_a_folder_of_the_users_that_is_called_like_an_older_one_is_left_alone(
    fitted, folder, monkeypatch
):
    old = folder.with_name(".model.old")
    old.mkdir()
    (old / "thesis.tex").write_text("years of work")
    monkeypatch.setattr("sktransformers.folders._exchange", lambda one, other: False)
    with pytest.raises(OSError, match="model"):
        fitted.save(folder)
    assert (old / "thesis.tex").exists()
    np.testing.assert_array_equal(load(folder).predict_proba(NEW), fitted.predict_proba(NEW))


def test_a_link_is_followed_and_stays(fitted, folder):
    link = folder.with_name("current")
    link.symlink_to(folder)
    fitted.save(link)
    assert link.is_symlink()
    assert sorted(p.name for p in folder.parent.iterdir()) == ["current", "model"]


def test_classes_of_users_are_not_saved_for_load_could_not_make_them(tiny_bert, tmp_path):
    class Mine(BertClassifier):
        pass

    model = Mine(tiny_bert, max_epochs=1, random_state=0).fit(X, Y)
    with pytest.raises(TypeError, match="but a Mine came.*Use pickle"):
        model.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_stray_file_changes_nothing(fitted, folder):
    (folder / "special_tokens_map.json").write_text('{"cls_token": "cat"}')
    np.testing.assert_array_equal(load(folder).predict_proba(NEW), fitted.predict_proba(NEW))


@pytest.mark.parametrize("checksum", ["", "0", None, 5])
def test_a_manifest_without_a_checksum_is_damaged(folder, checksum):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "checksum": checksum}))
    with pytest.raises(DamagedModelError, match=MANIFEST):
        load(folder)
