"""What is uploaded to a Hub opens from it in another process; the card tells what it is."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from conftest import make_texts

from sktransformers import BertClassifier, BertRegressor
from sktransformers.sharing import _without_paths, card

X, Y = make_texts(24)


@pytest.fixture
def hub(tmp_path):
    """Run code in a process of its own, with a Hub at hand; the Hub's folder is ``root``."""
    root = tmp_path / "hub"
    root.mkdir()
    server = Path(__file__).with_name("hub_server.py")
    command = [sys.executable, str(server), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        caches = iter(range(10))

        def run(code):
            env = {
                **os.environ,
                "HF_ENDPOINT": address,
                "HF_HUB_OFFLINE": "0",
                "HF_HUB_DISABLE_XET": "1",
                "HF_HOME": str(tmp_path / f"cache {next(caches)}"),
                "NO_PROXY": "127.0.0.1",
            }
            code = textwrap.dedent(code)
            return subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, env=env
            )

        run.root = root
        yield run
        process.kill()


@pytest.mark.slow
def test_a_pushed_model_opens_elsewhere_with_the_same_bits(hub, tiny_bert, tmp_path):
    model = BertClassifier(tiny_bert, max_epochs=1, memory=str(tmp_path / "own"), freeze=1)
    model.fit(X, Y).save(tmp_path / "model")
    np.save(tmp_path / "expected.npy", model.predict_proba(X))
    (tmp_path / "texts.txt").write_text("\n".join(X))
    push = f"""
        from sktransformers import load
        model = load({str(tmp_path / "model")!r})
        print(model.push_to_hub("me/good", scores={{"accuracy": 0.75}}, token="hf_secret"))
    """
    for _ in range(2):  # over itself too
        done = hub(push)
        assert done.returncode == 0, done.stderr[-3000:]
        assert "/me/good/commit/" in done.stdout
    assert (hub.root / "authorization").read_text() == "Bearer hf_secret"
    assert (hub.root / "summary").read_text() == "A fitted BertClassifier"
    readme = (hub.root / "repositories" / "me--good" / "README.md").read_text()
    assert "| accuracy | 0.75 |" in readme
    pushed = b"".join(p.read_bytes() for p in (hub.root / "repositories").rglob("*.*"))
    assert str(tmp_path).encode() not in pushed
    done = hub(
        f"""
        import numpy as np
        from sktransformers import BertClassifier, BertRegressor, load
        X = open({str(tmp_path / "texts.txt")!r}).read().split("\\n")
        expected = np.load({str(tmp_path / "expected.npy")!r})
        assert np.array_equal(load("me/good").predict_proba(X), expected)
        assert np.array_equal(BertClassifier.load("me/good@main").predict_proba(X), expected)
        for call in (lambda: BertRegressor.load("me/good"), lambda: load("me/none")):
            try:
                call()
            except (TypeError, OSError) as error:
                print(type(error).__name__, error)
        BertClassifier("me/good", max_epochs=1).fit(X, [len(x) % 2 for x in X])
        """
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "TypeError 'me/good' holds a BertClassifier. Use BertClassifier.load('me/good')." in (
        done.stdout.replace("\n", " ")
    )
    assert "ModelNotFoundError path='me/none' must be a folder that save() wrote or a Hub" in (
        done.stdout
    )


@pytest.mark.slow
def test_a_repository_of_something_else_is_not_written_to(hub, tiny_bert, tmp_path):
    BertClassifier(tiny_bert, max_epochs=1).fit(X, Y).save(tmp_path / "model")
    other = hub.root / "repositories" / "me--other"
    other.mkdir(parents=True)
    (other / "data.csv").write_text("mine")
    path = str(tmp_path / "model")
    done = hub(f"from sktransformers import load; load({path!r}).push_to_hub('me/other')")
    assert "FileExistsError: repo_id must be new, empty or a repository that" in done.stderr
    assert os.listdir(other) == ["data.csv"]


def test_a_hub_that_cannot_be_reached_or_refuses_is_told(hub, tiny_bert, tmp_path):
    BertClassifier(tiny_bert, max_epochs=1).fit(X, Y).save(tmp_path / "model")
    (hub.root / "refuse").touch()
    done = hub(
        f"""
        import os
        from sktransformers import load
        model = load({str(tmp_path / "model")!r})
        def tried(name):
            try:
                model.push_to_hub(name)
            except (ConnectionError, ValueError) as error:
                print(type(error).__name__, error)
        tried("me/good")
        tried("me/no good")
        from huggingface_hub import constants
        constants.HF_HUB_OFFLINE = True
        tried("me/good")
        """
    )
    assert done.returncode == 0, done.stderr[-3000:]
    refused, misnamed, offline = done.stdout.splitlines()
    must = "ConnectionError push_to_hub must reach the Hub with a token that may write to 'me/good'"
    assert refused.startswith(must)
    assert "403" in refused
    assert misnamed.startswith("ValueError repo_id must be 'name' or 'organisation/name'")
    assert offline.startswith(must)
    assert "OfflineModeIsEnabled" in offline


def test_a_card_tells_classes_parameters_scores_and_versions(tiny_bert):
    model = BertClassifier(tiny_bert, max_epochs=2, early_stopping=True, random_state=0)
    model.fit(X, ["a|b" if y == Y[0] else "no\nnews" for y in Y])
    text = card(model, "me/name", {"F1": 0.5})
    assert text.startswith("---\n")
    assert "library_name: sktransformers" in text
    assert "pipeline_tag: text-classification" in text
    assert 'model = load("me/name")\nmodel.predict(X)' in text
    assert "2: `a|b`, `no news`" in text
    assert "| F1 | 0.5 |" in text
    assert (
        f"score on validation rows, epoch {model.best_epoch_} | {model.best_score_:.6g} |" in text
    )
    assert "| early_stopping | True |" in text
    assert "| torch | " in text


def test_scores_that_are_no_numbers_are_refused_before_anything_is_made(tiny_bert):
    model = BertClassifier(tiny_bert, max_epochs=1).fit(X, Y)
    with pytest.raises(TypeError, match=r"scores\['accuracy'\] is '0.93'"):
        model.push_to_hub("me/name", scores={"accuracy": "0.93"})


def test_a_card_keeps_code_and_paths_to_itself(tiny_bert):
    model = BertClassifier(tiny_bert, max_epochs=1, memory="/secret", freeze=1)
    model.set_params(net_params={"optimizer__eps": 1e-7}).fit(X, Y)
    model.model = "/gone/with/the wind"
    text = card(_without_paths(model), "me/name", {})
    assert "secret" not in text
    assert "gone" not in text
    assert "optimizer__eps" not in text


def test_a_regressors_card_tells_its_units(tiny_bert):
    y = np.column_stack([np.arange(24.0), np.arange(24.0) * 100])
    text = card(BertRegressor(tiny_bert, max_epochs=1).fit(X, y), "me/name", {})
    assert "| 0 | 11.5 ± 6.92219 |" in text
    assert "| 1 | 1150 ± 692.219 |" in text
    assert "## Scores" not in text
