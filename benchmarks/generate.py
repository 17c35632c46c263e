"""Completions of 256 mixed prompts beside ``transformers.generate``: alone and in padded batches.

    python benchmarks/generate.py [prompts, 256 by default]

All three write with one model, greedily, in float32, and take turns. The model is a GPT-2 of 3
million parameters that is trained on docstrings first, and where the folder SKT_DATA holds
``stories260K``, that one too.
"""

import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from rounds import keep
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config

from sktransformers import GptGenerator
from sktransformers.datasets import load_docstrings

ROUNDS, NEW = 3, 64


def docstrings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_docstrings().sample(frac=1, random_state=0)["text"].tolist()


def mixed(texts, n_prompts):
    """Prompts of 1 to 100 words."""
    rng = np.random.default_rng(0)
    lengths = np.exp(rng.uniform(0, np.log(100), n_prompts)).astype(int) + 1
    return [" ".join(text.split()[:n]) for text, n in zip(texts, lengths)]


def models():
    texts = docstrings()
    config = GPT2Config(vocab_size=4000, n_embd=224, n_layer=4, n_head=4, n_positions=512)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = GptGenerator(config, learning_rate=1e-3, max_epochs=1, random_state=0)
        yield "GPT-2 of 3 million parameters", own.fit(texts[1000:4000]), texts
    stories = Path(os.environ.get("SKT_DATA", "")) / "stories260K"
    if stories.exists():
        yield "stories260K", GptGenerator(str(stories), max_epochs=0).fit(texts[:1]), texts


def measure(gen, prompts):
    gen.set_params(max_new_tokens=NEW)
    gen._precision = "float32"
    with tempfile.TemporaryDirectory() as folder:
        gen.save(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    longest = gen._reading["max_length"] - NEW
    device = model.to(gen.device_).device

    def written(texts):
        given = tokenizer(texts, padding=True, return_tensors="pt").to(device)
        given = {name: t[:, -longest:] for name, t in given.items() if name != "token_type_ids"}
        found = model.generate(
            **given, max_new_tokens=NEW, do_sample=False, pad_token_id=tokenizer.pad_token_id
        )
        new = found[:, given["input_ids"].shape[1] :]
        return tokenizer.batch_decode(new, skip_special_tokens=True)

    size = 32
    works = {
        "GptGenerator.predict": lambda: gen.predict(prompts).tolist(),
        "generate, one prompt at a time": lambda: [written([prompt])[0] for prompt in prompts],
        f"generate, padded batches of {size}": lambda: [
            text for i in range(0, len(prompts), size) for text in written(prompts[i : i + size])
        ],
    }
    seconds, texts = {name: [] for name in works}, {}
    gen.predict(prompts[:8])
    written(prompts[:2])
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.perf_counter()
            texts[name] = work()
            seconds[name].append(time.perf_counter() - start)
    ours = next(iter(works))
    for name, taken in seconds.items():
        ratio = statistics.median(x / y for x, y in zip(taken, seconds[ours]))
        # Some tokenizers leave out the space before what is decoded by itself.
        same = np.mean([a.strip() == b.strip() for a, b in zip(texts[ours], texts[name])])
        yield (
            f"| {name} | {statistics.median(taken):.2f} ({min(taken):.2f}-{max(taken):.2f}) "
            f"| {ratio:.2f} | {same:.1%} |"
        )


def main():
    n_prompts = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    lines = []
    for name, gen, texts in models():
        lines += [
            f"{name}, {n_prompts} prompts of 1 to 100 words, {NEW} new tokens, {gen.device_}, float32, "
            "greedy.",
            "",
            "| contender | seconds (min-max) | times ours | completions equal to ours |",
            "|---|---|---|---|",
            *measure(gen, mixed(texts, n_prompts)),
            "",
        ]
        print("\n".join(lines[-8:]), flush=True)
    keep(__file__, lines)


if __name__ == "__main__":
    main()
