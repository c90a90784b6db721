"""A search as an Optuna study in a database, for optuna-dashboard."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning, OptunaError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from analognas.errors import UserError
from analognas.files import writing
from analognas.searching.candidates import Candidate
from analognas.searching.demands import Demand, violation
from analognas.searching.journal import Batch
from analognas.searching.objectives import OBJECTIVES, Objective
from analognas.searching.spaces import Genes
from analognas.searching.strategies.optuna_samplers import CONSTRAINT, distributions, quiet

logger = logging.getLogger(__name__)


class LiveStudy:
    """A study in any Optuna storage that is told every new network of a search.

    The search itself never reads from it: the journal stays the truth, and a storage that lags or
    is lost costs nothing but the live view.
    """

    def __init__(
        self,
        storage: str | RDBStorage,
        name: str,
        genes: Genes,
        objectives: Sequence[Objective],
        demands: Sequence[Demand],
        catalogue: Mapping[str, Objective] = OBJECTIVES,
    ) -> None:
        self._distributions = distributions(genes)
        self._objectives = tuple(objectives)
        self._demands = tuple(demands)
        self._catalogue = catalogue
        self._lost = False
        try:
            with quiet(), warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                self._study = optuna.create_study(
                    study_name=name,
                    storage=storage,
                    directions=[objective.direction for objective in objectives],
                    load_if_exists=True,
                )
                self._study.set_metric_names([objective.name for objective in objectives])
        except (OptunaError, SQLAlchemyError, ImportError, ValueError) as error:
            raise UserError(f"The storage {storage!r} cannot be used: {error}.") from error
        self._known = {
            str(trial.user_attrs["key"])
            for trial in self._study.get_trials(deepcopy=False)
            if "key" in trial.user_attrs
        }

    def follow(self, batch: Batch) -> None:
        """Add the new networks of a batch that were judged in full, known ones left out.

        A storage that does not take them is left alone from then on.
        """
        if self._lost:
            return
        try:
            self.add(one for one in batch.candidates if one.failure is None and one.fidelity == 1.0)
        except (OptunaError, SQLAlchemyError) as error:
            self._lost = True
            logger.warning(
                "The storage takes no more networks (%s); the search goes on without it.",
                str(error).splitlines()[0],
            )

    def add(self, candidates: Iterable[Candidate]) -> None:
        for candidate in candidates:
            if candidate.key not in self._known:
                self._study.add_trial(self._trial(candidate))
                self._known.add(candidate.key)

    def _trial(self, candidate: Candidate) -> FrozenTrial:
        # One attribute for all: every further one costs a few milliseconds in a database.
        scores = {self._catalogue[name].heading: value for name, value in candidate.scores.items()}
        return create_trial(
            state=TrialState.COMPLETE,
            params=dict(candidate.codes),
            distributions=self._distributions,
            values=[candidate.scores[objective.name] for objective in self._objectives],
            user_attrs={"key": candidate.key, "scores": scores},
            constraints={CONSTRAINT: violation(self._demands, candidate.scores)}
            if self._demands
            else None,
        )


def write_study(
    path: Path,
    candidates: Sequence[Candidate],
    genes: Genes,
    objectives: Sequence[Objective],
    demands: Sequence[Demand],
    catalogue: Mapping[str, Objective] = OBJECTIVES,
) -> None:
    """Write candidates as a study into a new SQLite file, in one step."""
    with writing(path) as temporary:
        storage = RDBStorage(f"sqlite:///{temporary}")
        try:
            study = LiveStudy(storage, path.parent.name, genes, objectives, demands, catalogue)
            study.add(candidates)
        finally:
            storage.remove_session()
            storage.engine.dispose()
