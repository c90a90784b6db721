"""From a search's picks to networks that are trained, measured on simulated chips, and exported."""

from analognas.deployment.bundle import Bundle, Origin, PredictedAccuracy, read_bundle, read_bundles
from analognas.deployment.network import Deployment, Methods, NamedNetwork, Pick, deploy_network
from analognas.deployment.onnx_export import export_onnx
from analognas.deployment.winners import deploy_winners, named_baselines

__all__ = [
    "Bundle",
    "Deployment",
    "Methods",
    "NamedNetwork",
    "Origin",
    "Pick",
    "PredictedAccuracy",
    "deploy_network",
    "deploy_winners",
    "export_onnx",
    "named_baselines",
    "read_bundle",
    "read_bundles",
]
