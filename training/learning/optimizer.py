"""Muon for the matrices of the blocks, AdamW for everything else, as one optimizer."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.98)


class MuonWithAdamW(torch.optim.Optimizer):
    """Two optimizers that share one learning-rate schedule.

    Muon (https://kellerjordan.github.io/posts/muon/) with the update scaled to the root mean square of AdamW's
    (arXiv 2502.16982), so that one learning rate fits both. Weight decay acts only on the matrices.
    """

    def __init__(self, model: nn.Module, learning_rate: float, weight_decay: float) -> None:
        matrices, others = split_parameters(model)
        self._muon = torch.optim.Muon(
            matrices, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        self._adamw = torch.optim.AdamW(others, lr=learning_rate, weight_decay=0.0, betas=BETAS, fused=True)
        groups = [{"params": matrices}, {"params": others}]
        super().__init__(groups, {"lr": learning_rate})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """One update. Closures are refused, because neither part needs one."""
        if closure is not None:
            raise TypeError("MuonWithAdamW takes no closure: compute the gradients before step().")
        for part, group in zip((self._muon, self._adamw), self.param_groups, strict=True):
            part.param_groups[0]["lr"] = group["lr"]
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {
            "muon": self._muon.state_dict(),
            "adamw": self._adamw.state_dict(),
            "groups": [{k: v for k, v in group.items() if k != "params"} for group in self.param_groups],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._muon.load_state_dict(state_dict["muon"])
        self._adamw.load_state_dict(state_dict["adamw"])
        for group, saved in zip(self.param_groups, state_dict["groups"], strict=True):
            group.update(saved)


def build_adamw(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW for every parameter that is trained; weight decay acts only on the matrices of the blocks."""
    matrices, others = split_parameters(model)
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=learning_rate, betas=BETAS, fused=True
    )


def split_parameters(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """The trained matrices inside the blocks, and the trained embeddings, norms and biases; tied weights once."""
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        (matrices if parameter.ndim == 2 and ".layers." in name else others).append(parameter)
    return matrices, others
