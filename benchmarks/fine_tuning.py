"""Fine-tuning 2,000 texts of mixed length for an epoch, beside Trainer and the recipe of skorch.

    python benchmarks/fine_tuning.py [--rounds 5] [--only ...]

All start from MiniLM, with batches of 32, the learning rate 1e-4 that falls to 0, and the seed of
their round. Seconds are from texts and labels to the trained model. Imports do not count, those of
transformers' parts neither, which come with the first model: each process has opened one before.
"""

import time
import warnings

import numpy as np
from rounds import compete, products_a_second
from rows import reviews

N_ROWS, BATCH, RATE = 2000, 32, 1e-4
warnings.simplefilter("ignore")


def folder():
    from sktransformers.hub import DEFAULT_ENCODER, locate

    return str(locate(DEFAULT_ENCODER)[0])


def import_all():
    """Open tokenizer and model once with transformers, which imports their parts at that moment."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    AutoTokenizer.from_pretrained(folder())
    AutoModelForSequenceClassification.from_pretrained(folder())


def of_library(*, has_bfloat16=True):
    def run(seed):
        import skorch  # noqa: F401

        import sktransformers.engine.fit  # noqa: F401
        from sktransformers import BertClassifier
        from sktransformers.engine import device, head

        if not has_bfloat16:
            device._cpu_has_bfloat16 = lambda: False  # as on most laptops
        probed, features = [], head.features

        def counted(model, task, examples, **settings):
            probed.extend(examples.lengths.tolist())
            return features(model, task, examples, **settings)

        head.features = counted
        import_all()
        texts, labels, test, truth = reviews(N_ROWS)
        kind = device.choose_precision("auto", device.choose_device("auto"))
        ceiling = products_a_second(kind)
        start = time.perf_counter()
        model = BertClassifier(
            max_epochs=1,
            learning_rate=RATE,
            batch_size=BATCH,
            max_length=512,
            random_state=seed,
        ).fit(texts, labels)
        seconds = time.perf_counter() - start
        found = {"seconds": seconds, "accuracy": model.score(test, truth)}
        lengths = [
            len(i) for i in model.tokenizer_(texts, truncation=True, max_length=512).input_ids
        ]
        n_tokens = sum(lengths)
        epoch, probe = 3 * flops(model.model_, lengths), flops(model.model_, probed)
        possible = seconds * max(ceiling, products_a_second(kind))
        return {
            **found,
            "tokens a second": n_tokens / seconds,
            "share of the ceiling": (epoch + probe) / possible,
            "of the epoch alone": epoch / possible,
        }

    return run


def flops(model, lengths):
    """Floating-point operations of a forward pass's products; a backward pass has twice those."""
    inner = sum(p.numel() for n, p in model.named_parameters() if ".layer." in n and p.ndim == 2)
    c = model.config
    return sum(2 * inner * n + 4 * c.num_hidden_layers * c.hidden_size * n * n for n in lengths)


def coded(labels):
    classes, codes = np.unique(labels, return_inverse=True)
    return classes, codes


def of_trainer(bf16):
    def run(seed):
        import torch
        from transformers import (
            AutoModelForSequenceClassification,
            AutoTokenizer,
            DataCollatorWithPadding,
            Trainer,
            TrainingArguments,
        )

        import_all()
        texts, labels, test, truth = reviews(N_ROWS)
        classes, codes = coded(labels)
        start = time.perf_counter()
        torch.manual_seed(seed)
        tokenizer = AutoTokenizer.from_pretrained(folder())
        model = AutoModelForSequenceClassification.from_pretrained(
            folder(), num_labels=len(classes)
        )

        def rows(texts, codes):
            found = tokenizer(texts, truncation=True, max_length=512)
            return [
                {**{name: values[i] for name, values in found.items()}, "labels": int(code)}
                for i, code in enumerate(codes)
            ]

        trainer = Trainer(
            model,
            TrainingArguments(
                "unused",
                num_train_epochs=1,
                per_device_train_batch_size=BATCH,
                per_device_eval_batch_size=BATCH,
                learning_rate=RATE,
                bf16=bf16,
                use_cpu=not torch.cuda.is_available(),
                seed=seed,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                logging_strategy="no",
            ),
            train_dataset=rows(texts, codes),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.train()
        seconds = time.perf_counter() - start
        logits = trainer.predict(rows(test, np.zeros(len(test)))).predictions
        return {"seconds": seconds, "accuracy": np.mean(classes[logits.argmax(1)] == truth)}

    return run


def of_skorch(seed):
    """The recipe of skorch's documentation: its HuggingfacePretrainedTokenizer and a module."""
    import torch
    from sklearn.pipeline import Pipeline
    from skorch import NeuralNetClassifier
    from skorch.callbacks import LRScheduler
    from skorch.hf import HuggingfacePretrainedTokenizer
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import AutoModelForSequenceClassification

    class Module(torch.nn.Module):
        def __init__(self, name, num_labels):
            super().__init__()
            self.name, self.num_labels = name, num_labels
            self.reset_weights()

        def reset_weights(self):
            self.bert = AutoModelForSequenceClassification.from_pretrained(
                self.name, num_labels=self.num_labels
            )

        def forward(self, **kwargs):
            return self.bert(**kwargs).logits

    import_all()
    texts, labels, test, truth = reviews(N_ROWS)
    classes, codes = coded(labels)
    start = time.perf_counter()
    torch.manual_seed(seed)
    steps = -(-N_ROWS // BATCH)
    pipe = Pipeline(
        [
            ("tokenizer", HuggingfacePretrainedTokenizer(folder(), max_length=512)),
            (
                "net",
                NeuralNetClassifier(
                    Module,
                    module__name=folder(),
                    module__num_labels=len(classes),
                    optimizer=torch.optim.AdamW,
                    lr=RATE,
                    max_epochs=1,
                    criterion=torch.nn.CrossEntropyLoss,
                    batch_size=BATCH,
                    iterator_train__shuffle=True,
                    train_split=False,
                    verbose=0,
                    callbacks=[
                        LRScheduler(
                            LambdaLR, lr_lambda=lambda s: max(0, 1 - s / steps), step_every="batch"
                        )
                    ],
                ),
            ),
        ]
    )
    pipe.fit(texts, codes)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "accuracy": np.mean(classes[pipe.predict(test)] == truth)}


def describe():
    texts, labels, _, _ = reviews(N_ROWS)
    words = np.array([len(text.split()) for text in texts])
    return (
        f"{N_ROWS:,} texts of {words.min()} to {words.max()} words (median {np.median(words):.0f}, "
        f"mean {words.mean():.0f}), {len(set(labels))} classes, one epoch, batches of {BATCH}. "
        "The share of the ceiling counts the products of the texts' own tokens, without padding: "
        "those of the epoch, forward and backward, and of the forward pass from which the head "
        "starts; then those of the epoch alone, in the seconds of both. The ceiling is what products "
        "of large matrices reach over a second, before the fit or after it, whichever is more."
    )


CONTENDERS = {
    "BertClassifier": of_library(),
    "BertClassifier, no bfloat16": of_library(has_bfloat16=False),
    "Trainer, its defaults": of_trainer(False),
    "Trainer(bf16=True)": of_trainer(True),
    "skorch's recipe": of_skorch,
}

if __name__ == "__main__":
    few = {"skorch's recipe": 1}  # the slowest
    compete(__file__, CONTENDERS, ours="BertClassifier", n_rounds=5, describe=describe, fewer=few)
