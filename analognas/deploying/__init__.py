"""Networks on chips: placed, programmed, aged, compensated, measured, and written down."""

from analognas.deploying.arrays import Examples, read_examples
from analognas.deploying.chip_hardware import COMPENSATIONS, hardware_of_chip
from analognas.deploying.deploying import deploy
from analognas.deploying.finding import SourceRequest, find_source
from analognas.deploying.folder import write_deployment
from analognas.deploying.in_python import deploy_model
from analognas.deploying.records import ChipDeployment
from analognas.deploying.settings import DeploymentSettings
from analognas.deploying.sources import Source

__all__ = [
    "COMPENSATIONS",
    "ChipDeployment",
    "DeploymentSettings",
    "Examples",
    "Source",
    "SourceRequest",
    "deploy",
    "deploy_model",
    "find_source",
    "hardware_of_chip",
    "read_examples",
    "write_deployment",
]
