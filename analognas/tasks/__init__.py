"""What the networks must learn: data, splits, front ends and limits."""

from analognas.tasks.base import NO_SPEAKER, Limits, Part, Task, TaskRequest
from analognas.tasks.registry import TASKS, load_task

__all__ = ["NO_SPEAKER", "TASKS", "Limits", "Part", "Task", "TaskRequest", "load_task"]
