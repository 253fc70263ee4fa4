"""DPM-Solver++ of second order in single steps with fresh noise: what the Stable Diffusion WebUI calls ``DPM++ 2S a``.

Lu et al. 2022 (DPM-Solver++, the singlestep solver of second order in data prediction, r = 1/2), each step taken to the
lower of the two levels that ancestral sampling splits a step into, and the rest made up by noise (Karras et al. 2022,
as in Euler a).
"""

from typing import Any

import torch
from diffusers import KDPM2AncestralDiscreteScheduler
from diffusers.utils.torch_utils import randn_tensor


class DPMSolverSinglestepAncestral(KDPM2AncestralDiscreteScheduler):  # type: ignore[misc]
    """Evaluates where DPM2 a does: at a level of noise, and half way, by its logarithm, to the step's lower end.

    ``sample`` holds the latents at the step's beginning while it is half done, as in the class above.
    """

    sample: Any

    def step(
        self,
        model_output: torch.Tensor,
        timestep: float | torch.Tensor,
        sample: torch.Tensor,
        generator: torch.Generator | None = None,
        return_dict: bool = True,
    ) -> tuple[torch.Tensor]:
        """The latents after half a step, or after the whole of it. ``return_dict`` has no part."""
        if self.step_index is None:
            self._init_step_index(timestep)
        first = self.state_in_first_order
        place = self.step_index if first else self.step_index - 1
        sigma, middle = self.sigmas[place], self.sigmas_interpol[place]
        clean = self._clean(model_output, sample, sigma if first else middle)
        if first:
            self.sample = sample
            found = clean + middle / sigma * (sample - clean)
        else:
            found = clean + self.sigmas_down[place] / sigma * (self.sample - clean)
            fresh = {"dtype": model_output.dtype, "device": model_output.device, "generator": generator}
            found = found + self.sigmas_up[place] * randn_tensor(model_output.shape, **fresh)
            self.sample = None
        self._step_index += 1
        return (found,)

    def _clean(self, output: torch.Tensor, sample: torch.Tensor, sigma: torch.Tensor) -> Any:
        if self.config.prediction_type == "v_prediction":
            return sample / (sigma**2 + 1) - output * sigma / (sigma**2 + 1) ** 0.5
        return sample - sigma * output
