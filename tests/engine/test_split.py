import pytest
import torch
from conftest import SMALL
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from sktransformers.engine.device import prepare
from sktransformers.engine.split import split
from sktransformers.tasks.embedding import Contrast


def config_of(name, **more):
    import transformers

    return getattr(transformers, name)(vocab_size=60, **SMALL, **more)


FAMILIES = [
    config_of("BertConfig"),
    config_of("RobertaConfig"),
    config_of("ElectraConfig", embedding_size=16),
    config_of("MPNetConfig"),
    config_of("DebertaV2Config", relative_attention=True, pos_att_type=["p2c", "c2p"]),
    config_of("ModernBertConfig", pad_token_id=0),
]
HEADS = [AutoModelForSequenceClassification, AutoModelForTokenClassification]


class Logits:
    averages_tokens = False

    def forward(self, model, inputs):
        return model(**inputs).logits


def rows(lengths):
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(5, 60, mask.shape, generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids * mask, "attention_mask": mask}


def as_kept(states, mask):
    """States as they come back: nothing where there are no tokens."""
    return {
        name: values * mask[..., None] if values.ndim == 3 else values
        for name, values in states.items()
    }


@pytest.fixture
def make():
    def make(config, head=AutoModelForSequenceClassification):
        torch.manual_seed(0)
        model = head.from_config(config).eval()
        prepare(model, "float32", "cpu")
        return model

    return make


@pytest.mark.parametrize("config", FAMILIES, ids=lambda c: c.model_type)
@pytest.mark.parametrize("freeze", [1, 2, "backbone"])
@pytest.mark.parametrize("head", HEADS, ids=["of texts", "of tokens"])
def test_two_parts_give_what_the_whole_gives(make, config, freeze, head):
    model = make(config, head)
    parts = split(model, Logits(), freeze, rows([7]), "float32")
    inputs = rows([3, 8, 5])
    with torch.inference_mode():
        whole = model(**inputs).logits
        states = as_kept(parts.lower(inputs), inputs["attention_mask"])
        upper = parts.task.forward(parts.upper, {**inputs, "states": states})
        again = model(**inputs).logits
    inside = inputs["attention_mask"].bool() if head is HEADS[1] else slice(None)
    assert torch.equal(whole[inside], upper[inside])
    assert torch.equal(again, whole)  # the model is as it was


READ = [
    (FAMILIES[0], HEADS[0], {"pooler_output"}),
    (FAMILIES[1], HEADS[0], {"first of last_hidden_state"}),
    (FAMILIES[0], HEADS[1], {"last_hidden_state"}),
]


@pytest.mark.parametrize(("config", "head", "kept"), READ)
def test_of_one_token_nothing_can_be_told(make, config, head, kept):
    parts = split(make(config, head), Logits(), "backbone", rows([1]), "float32")
    kept = {name.removeprefix("first of ") for name in kept}
    assert set(parts.lower(rows([4, 6]))) == kept


@pytest.mark.parametrize(("config", "head", "kept"), READ)
def test_only_what_the_head_reads_is_kept(make, config, head, kept):
    parts = split(make(config, head), Logits(), "backbone", rows([7]), "float32")
    assert set(parts.lower(rows([4, 6]))) == kept


def test_training_the_upper_part_trains_the_model(make):
    model = make(FAMILIES[0])
    parts = split(model, Logits(), 1, rows([7]), "float32")
    names = {name for name, _ in parts.upper.named_parameters()}
    assert not any("layer.0." in name for name in names)
    before = model.bert.encoder.layer[1].output.dense.weight.clone()
    with torch.no_grad():
        parts.upper.bert.encoder.layer[1].output.dense.weight.add_(1)
    assert torch.equal(model.bert.encoder.layer[1].output.dense.weight, before + 1)


def test_outputs_of_lower_layers_are_not_lost_in_silence(make):
    model = make(FAMILIES[0], AutoModel)
    ok, reads_below = (Contrast(pooling=pooling) for pooling in ("mean", "last4"))
    assert split(model, ok, 1, rows([7]), "float32") is not None
    assert split(model, reads_below, 1, rows([7]), "float32") is None


def test_nothing_to_keep(make):
    assert split(make(FAMILIES[0]), Logits(), None, rows([7]), "float32") is None
    assert split(make(FAMILIES[0]), Logits(), 0, rows([7]), "float32") is None
    encoder = make(FAMILIES[0], AutoModel)
    assert split(encoder, Contrast(pooling="mean"), "backbone", rows([7]), "float32") is None
