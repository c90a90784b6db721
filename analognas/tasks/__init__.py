"""What the networks must learn: data, splits, front ends and limits."""

from analognas.tasks.base import NO_SPEAKER, Limits, Part, Task, TaskRequest
from analognas.tasks.registry import NEEDS_DATA, TASKS, load_task

__all__ = [
    "NEEDS_DATA",
    "NO_SPEAKER",
    "TASKS",
    "Limits",
    "Part",
    "Task",
    "TaskRequest",
    "load_task",
]
