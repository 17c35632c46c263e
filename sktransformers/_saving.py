"""How fitted estimators are kept and shared: the verbs; the work is done on the floors below."""

from sklearn.utils.validation import check_is_fitted

__all__ = ["SavingMixin"]


class SavingMixin:
    """What is learnt as a folder, as a repository of the Hub, and as a pickle."""

    def save(self, path):
        """Write the fitted estimator to a folder that transformers opens too.

        Parameters
        ----------
        path : str or path
            A new or empty folder, or one that this method wrote: it is replaced whole, or not at
            all. No other folder is ever written to. ``memory`` and ``checkpoint_dir``, which name
            folders of this machine, are not kept.

        See Also
        --------
        sktransformers.load : Open a saved estimator of any class.
        """
        from .persistence import save

        check_is_fitted(self)
        save(self, path)

    @classmethod
    def load(cls, path):
        """Open an estimator of this class that ``save`` wrote.

        Parameters
        ----------
        path : str or path
            A folder that ``save`` wrote, or a Hub repository that ``push_to_hub`` wrote, as
            "organisation/name" or "organisation/name@revision".

        Returns
        -------
        estimator
            Fitted, on the device that is best here.
        """
        from .persistence import load

        return load(path, expected=cls)

    def push_to_hub(
        self,
        repo_id,
        *,
        scores=None,
        commit_message=None,
        private=None,
        token=None,
        revision=None,
        create_pr=False,
    ):
        """Upload the fitted estimator to the Hugging Face Hub, with a model card.

        ``sktransformers.load("organisation/name")`` opens it from there. The card tells what is
        predicted, the parameters, scores, versions, and a regressor's units; it never quotes texts
        of X. Paths of this machine stay here: ``memory`` and ``checkpoint_dir`` are left out, of
        a local ``model`` the folder's name is kept.

        Parameters
        ----------
        repo_id : str
            "name" or "organisation/name". It is made if it is not there. In one that this method
            wrote before, files of the same names are replaced, the README among them; one that
            holds something else is refused.
        scores : dict of str to float, default=None
            What was measured on held-out rows, for the card: ``{"accuracy": 0.93}``.
        commit_message : str, default=None
        private : bool, default=None
            Whether a new repository is private; with None as the organisation has set it.
        token : str, default=None
            With None the one that ``hf auth login`` has kept.
        revision : str, default=None
            A branch; with None the main one.
        create_pr : bool, default=False
            Whether to open a pull request instead of writing to the branch.

        Returns
        -------
        huggingface_hub.CommitInfo
            A str: the address of the commit.

        Raises
        ------
        FileExistsError
            If the repository holds files, but none that this method wrote.
        ValueError
            If the Hub knows no such names.
        ConnectionError
            If the Hub cannot be reached, or refuses.
        """
        from .sharing import push

        check_is_fitted(self)
        return push(
            self,
            repo_id,
            {} if scores is None else dict(scores),
            private=private,
            token=token,
            commit_message=commit_message,
            revision=revision,
            create_pr=create_pr,
        )

    def _further_files(self):
        """Texts of files, by name, with which other programs open a saved folder."""
        return {}

    def __getstate__(self):
        from .persistence import pack

        return pack(self) if hasattr(self, "model_") else dict(vars(self))

    def __setstate__(self, state):
        from .persistence import unpack

        vars(self).update(unpack(state) if "weights" in state else state)
