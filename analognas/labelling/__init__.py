"""Accuracy labels: sampled networks, trained hardware-aware and measured on simulated chips."""

from analognas.labelling.folder import LabelFolder, open_folder, read_folder, reopen_folder
from analognas.labelling.plan import Candidate, Job, LabelPlan, make_plan, plan_jobs
from analognas.labelling.runner import RunSummary, run_jobs
from analognas.labelling.workers import RunJob, Workshop

__all__ = [
    "Candidate",
    "Job",
    "LabelFolder",
    "LabelPlan",
    "RunJob",
    "RunSummary",
    "Workshop",
    "make_plan",
    "open_folder",
    "plan_jobs",
    "read_folder",
    "reopen_folder",
    "run_jobs",
]
