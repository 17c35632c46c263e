import pytest
from conftest import SMALL
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from sktransformers.engine.freezing import freeze_layers


def learnt(model):
    return {name for name, p in model.named_parameters() if p.requires_grad}


@pytest.fixture
def bert():
    return BertForSequenceClassification(BertConfig(vocab_size=50, **SMALL))


@pytest.mark.parametrize(
    ("freeze", "still"),
    [
        (0, ("bert.encoder.layer.0", "bert.encoder.layer.1", "bert.pooler", "classifier")),
        (1, ("bert.encoder.layer.1", "bert.pooler", "classifier")),
        (2, ("bert.pooler", "classifier")),
        ("backbone", ("classifier",)),
    ],
)
def test_what_learns(bert, freeze, still):
    frozen = freeze_layers(bert, freeze)
    assert learnt(bert) == {n for n, _ in bert.named_parameters() if n.startswith(still)}
    bert.train()
    for module in frozen:
        module.eval()
    training = {n for n, m in bert.named_modules() if m.training and list(m.parameters(False))}
    assert all(name.startswith(still) for name in training)


def test_nothing_frozen_sets_everything_free(bert):
    freeze_layers(bert, "backbone")
    assert freeze_layers(bert, None) == []
    assert all(p.requires_grad for p in bert.parameters())


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (RobertaForSequenceClassification, RobertaConfig(vocab_size=50, **SMALL)),
        (
            DistilBertForSequenceClassification,
            DistilBertConfig(vocab_size=50, dim=32, n_layers=2, n_heads=2, hidden_dim=64),
        ),
    ],
)
def test_other_families(model, config):
    model = model(config)
    freeze_layers(model, 1)
    assert not any("embeddings" in name or "layer.0." in name for name in learnt(model))
    assert any("layer.1." in name for name in learnt(model))


def test_more_layers_than_there_are(bert):
    with pytest.raises(ValueError, match="at most the model's 2 layers, but freeze=3"):
        freeze_layers(bert, 3)


def test_shared_layers_are_refused_by_name():
    config = AlbertConfig(vocab_size=50, embedding_size=16, **SMALL)
    model = AlbertForSequenceClassification(config)
    with pytest.raises(ValueError, match="'albert' shares or scatters them"):
        freeze_layers(model, 1)
    freeze_layers(model, "backbone")
    assert learnt(model) == {"classifier.weight", "classifier.bias"}


def config_of(name, **more):
    import transformers

    return getattr(transformers, name)(vocab_size=60, **SMALL, **more)


@pytest.mark.parametrize(
    "config",
    [
        config_of("BertConfig"),
        config_of("RobertaConfig"),
        config_of("ElectraConfig", embedding_size=16),
        config_of("MPNetConfig"),
        config_of("DebertaV2Config", relative_attention=True, pos_att_type=["p2c", "c2p"]),
        config_of("ModernBertConfig", pad_token_id=0),
    ],
    ids=lambda c: c.model_type,
)
def test_activations_below_stay_whatever_is_learnt_above(config):
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_config(config).eval()
    ids = torch.randint(5, 50, (2, 12))

    def first_layer():
        with torch.no_grad():
            return model.base_model(input_ids=ids, output_hidden_states=True).hidden_states[1]

    before = first_layer()
    freeze_layers(model, 1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter))
    assert torch.equal(first_layer(), before)
    with torch.no_grad():
        after = model(input_ids=ids).logits
    assert torch.isfinite(after).all()


def test_scattered_layers_are_refused_by_name():
    from transformers import FlaubertConfig, FlaubertForSequenceClassification

    config = FlaubertConfig(vocab_size=60, emb_dim=32, n_layers=2, n_heads=2)
    with pytest.raises(ValueError, match="'flaubert' shares or scatters them"):
        freeze_layers(FlaubertForSequenceClassification(config), 1)
