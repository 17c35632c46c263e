"""One pass over some rows: what ``partial_fit`` does, in scikit-learn's terms."""

__all__ = ["one_pass"]


def one_pass(estimator, X, y, sample_weight, **known):
    """Train an estimator on some rows once, at a constant learning rate.

    The first call starts where ``fit`` would. Later ones go on with the optimizer's moments, which
    live between calls and are left out of pickles and saved folders.

    Parameters
    ----------
    estimator : TransformerEstimator
        Changed only when all went well.
    X, y, sample_weight : as ``fit`` takes them
    **known
        Fitted attributes that are known before the first call, such as ``classes_``.
    """
    from dataclasses import replace

    import pandas as pd

    from .data.texts import must_be_pairs
    from .engine.fit import fine_tune, plan_for
    from .engine.head import settle, start_head
    from .engine.parts import told_by_text
    from .engine.seeding import seeded

    if estimator.early_stopping:
        raise ValueError(
            "partial_fit sees a part of the rows, so early_stopping must be False, but it is True. "
            "Set early_stopping=False, or use fit."
        )
    draft = estimator._draft(keep_learnt=True)
    is_first = not hasattr(draft, "model_")
    of_columns = ("n_features_in_", "feature_names_in_")
    vars(draft).update((n, getattr(estimator, n)) for n in of_columns if hasattr(estimator, n))
    vars(draft).update(known)
    rows = draft._read(X, y, sample_weight, reset=is_first)
    if not is_first:
        must_be_pairs(rows.texts, estimator._pairs, "X")
    history = None if is_first else estimator.history_
    n_before = 0 if is_first else estimator.n_iter_
    plan = replace(plan_for(draft), checkpoint_dir=None)
    # Each call has its own stream of dropout; the moments belong to one set of parameters.
    # A rate that stays does not suit a head twenty times faster: it would never come to rest.
    same = {"max_epochs": 1, "warmup_ratio": None, "head_faster": 1.0, "goes_on": True}
    plan = replace(plan, **same, seed=(plan.seed + n_before) % 2**31)
    kept = getattr(estimator, "_moments", {})
    moments = kept.get("state") if kept.get("freeze", ()) == plan.freeze else None
    with seeded(plan.seed, plan.device):
        task = draft._make_task(rows)
        head_is_new = draft._start(task, rows.texts)
        plan = settle(draft.model_, draft.tokenizer_, plan)
        (data,) = draft._encode(task, rows.that_count())
        if head_is_new:
            start_head(draft.model_, task, data, plan)
        draft.device_, draft._precision = plan.device, plan.precision
        draft._asked = "auto" if plan.may_fall_back else plan.precision
        with told_by_text(draft):
            outcome = fine_tune(draft.model_, task, data, plan, moments=moments)
    draft._moments = {"freeze": plan.freeze, "state": outcome.moments}
    outcome.history.index += n_before
    draft.history_ = pd.concat([h for h in (history, outcome.history) if h is not None])
    draft.n_iter_ = n_before + 1
    estimator.__dict__ = vars(draft)
    return estimator
