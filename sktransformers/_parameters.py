"""Constraints of the parameters that estimators share, in scikit-learn's own terms."""

import os
from numbers import Integral, Real

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

__all__ = ["SHARED_CONSTRAINTS"]

SHARED_CONSTRAINTS = {
    "model": [str, os.PathLike, HasMethods(["to_dict", "to_json_string"])],
    "max_length": [Interval(Integral, 1, None, closed="left"), None],
    "stride": [Interval(Integral, 0, None, closed="left"), None],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "warmup_ratio": [Interval(Real, 0, 1, closed="both")],
    "freeze": [Interval(Integral, 0, None, closed="left"), StrOptions({"backbone"}), None],
    "memory": [str, os.PathLike, None],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "scoring": [str, callable, None],
    "warm_start": ["boolean"],
    "checkpoint_dir": [str, os.PathLike, None],
    "precision": [StrOptions({"auto", "float32", "bfloat16", "float16", "float64"})],
    "device": [str],
    "callbacks": [list, tuple, None],
    "net_params": [dict, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
