"""What language models learn: a section of benchmarks/quality.md.

    SKT_DATA=folder python benchmarks/quality_generation.py                 # everything
    SKT_DATA=folder python benchmarks/quality_generation.py --only slots    # one, printed

The folder holds ``stories260K`` (a causal language model), tinyshakespeare (train.txt, test.txt)
and e2e_nlg (dev.jsonl, test.jsonl: ``prompt, completion``).
"""

import os
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sections import measure_and_write
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from transformers import GPT2Config

TITLE = "Language models"


def folder(name):
    return Path(os.environ["SKT_DATA"]) / name


def plays(part):
    return [(folder("tinyshakespeare") / f"{part}.txt").read_text(encoding="utf-8")]


def nats(generator, texts):
    """Natural units of information a character."""
    return float(np.log(generator.perplexity(texts, per="character")))


def same_stories():
    """stories260K in float32: greedy completions equal transformers' own generate."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from sktransformers import GptGenerator
    from sktransformers.datasets import load_docstrings

    path = str(folder("stories260K"))
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(path)

    def theirs(prompt):
        given = tokenizer(prompt, return_tensors="pt")["input_ids"]
        found = model.generate(given, max_new_tokens=100, do_sample=False)
        return tokenizer.decode(found[0, given.shape[1] :], skip_special_tokens=True)

    words = " ".join(load_docstrings(max_rows=500)["text"]).split()
    prompts = ["Once upon a time"]
    prompts += [" ".join(words[40 * i : 40 * i + 1 + i]) for i in range(63)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gen = GptGenerator(
            path, max_epochs=0, max_new_tokens=100, precision="float32", device="cpu"
        ).fit(prompts)
    together, expected = gen.predict(prompts), [theirs(prompt) for prompt in prompts]
    return {
        "alone": float(gen.predict(prompts[:1])[0].strip() == expected[0].strip()),
        "among 64": float(together[0].strip() == expected[0].strip()),
        "of all 64": np.mean([a.strip() == b.strip() for a, b in zip(together, expected)]),
    }


def shakespeare():
    """stories260K on tinyshakespeare, learning rate 3e-3, 5 epochs: perplexity a character."""
    from sktransformers import GptGenerator

    start = GptGenerator(str(folder("stories260K")), max_epochs=0).fit(plays("train"))
    tuned = GptGenerator(
        str(folder("stories260K")), learning_rate=3e-3, max_epochs=5, batch_size=8, random_state=0
    ).fit(plays("train"))
    return {
        "before": start.perplexity(plays("test"), per="character"),
        "after": tuned.perplexity(plays("test"), per="character"),
    }


def shakespeare_from_nothing():
    """A GPT-2 of 3 million parameters from nothing on tinyshakespeare: nats a character."""
    from sktransformers import GptGenerator

    config = GPT2Config(vocab_size=1024, n_embd=224, n_layer=5, n_head=7, n_positions=128)
    gen = GptGenerator(config, learning_rate=2e-3, max_epochs=8, random_state=0, batch_size=16)
    gen.fit(plays("train"))
    size = sum(weights.numel() for weights in gen.model_.parameters())
    return {
        "million parameters": size / 1e6,
        "minutes of training": gen.history_["seconds"].sum() / 60,
        "training text": nats(gen, plays("train")),
        "test text": nats(gen, plays("test")),
    }


def slots():
    """e2e_nlg from nothing, cells to sentence: share of the cells' values that are said."""
    from sktransformers import GptGenerator

    train, test = (
        pd.read_json(folder("e2e_nlg") / f"{part}.jsonl", lines=True) for part in ("dev", "test")
    )
    prompts = test["prompt"].drop_duplicates()
    config = GPT2Config(vocab_size=1000, n_embd=192, n_layer=4, n_head=6, n_positions=192)
    gen = GptGenerator(
        config, learning_rate=2e-3, max_epochs=20, max_new_tokens=80, random_state=0
    ).fit(train["prompt"] + " ->", " " + train["completion"])
    written = gen.predict(prompts + " ->")

    cells = TfidfVectorizer(token_pattern=r"\w+\[[^\]]*\]", lowercase=False).fit(train["prompt"])
    near = NearestNeighbors(n_neighbors=1, metric="cosine").fit(cells.transform(train["prompt"]))
    nearest = near.kneighbors(cells.transform(prompts), return_distance=False)[:, 0]
    copied = train["completion"].to_numpy()[nearest]
    return {
        "written": said(prompts, written),
        "nearest neighbour": said(prompts, copied),
        "people": said(test["prompt"], test["completion"]),
    }


def said(prompts, sentences):
    """The share of the cells' values that stand in the sentences word for word.

    The yes and no of ``familyFriendly`` are never said word for word and do not count.
    """
    found = [
        value.lower() in sentence.lower()
        for prompt, sentence in zip(prompts, sentences)
        for name, value in re.findall(r"(\w+)\[([^\]]*)\]", prompt)
        if name != "familyFriendly"
    ]
    return np.mean(found)


if __name__ == "__main__":
    measure_and_write(__file__, TITLE, (same_stories, shakespeare, shakespeare_from_nothing, slots))
