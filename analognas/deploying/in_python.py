"""Deploy any PyTorch model from a script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognas.deploying.arrays import Examples
from analognas.deploying.deploying import Progress, deploy
from analognas.deploying.folder import write_deployment
from analognas.deploying.records import ChipDeployment
from analognas.deploying.settings import DeploymentSettings
from analognas.deploying.sources import Source
from analognas.errors import checking
from analognas.simulator.chip import ChipSpec, load_chip

if TYPE_CHECKING:
    from torch import Tensor, nn


def deploy_model(  # noqa: PLR0913  (the door for scripts: network, data, chip, how)
    model: nn.Module,
    sample_inputs: Tensor,
    *,
    chip: str | Path | ChipSpec = "hermes",
    test_inputs: Tensor | None = None,
    labels: Tensor | None = None,
    title: str = "model",
    out: Path | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> ChipDeployment:
    """Put any PyTorch model on simulated chips and measure it over time.

    ```python
    found = deploy_model(model, x_train, chip="hermes", test_inputs=x, labels=y, chips=10)
    print(found.score().mean())
    ```

    Args:
        model: Maps one batch to one output.
        sample_inputs: `(N, ...)`, typical inputs: they set input ranges and calibrate batch norms.
        chip: Name, file or record.
        test_inputs: What is measured on; `sample_inputs` by default.
        labels: `(N,)` right answers of these; without them the digital network's count.
        title: For people.
        out: New folder for the bundle of the deployment.
        progress: Told how far the work is.
        settings: Of `DeploymentSettings`: programming, chips, compensation, hardware, times_s ...

    Raises:
        ValueError: The model does not fit the chip, or a setting is not possible.
    """
    if not isinstance(chip, ChipSpec):
        with checking("chip"):
            chip = load_chip(chip)
    chosen = DeploymentSettings(chip=chip, **settings)
    tested = sample_inputs if test_inputs is None else test_inputs
    source = Source(
        title=title,
        network=model.to(chosen.device).eval(),
        input_shape=tuple(sample_inputs.shape[1:]),
        test=Examples(tested.cpu(), None if labels is None else labels.cpu()),
        calibration=sample_inputs.to(chosen.device),
    )
    if out is None:
        return deploy(source, chosen, progress=progress).deployment
    return write_deployment(out, source, chosen, progress=progress)
