"""One small network a task on top of the fused vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor, nn

Heads = tuple[dict[str, Tensor], dict[str, Tensor], list[dict[str, Tensor]]]


class TaskHeads(nn.Module):
    """Linear -> LeakyReLU -> Dropout -> Linear for each task.

    The tasks share nothing here: one task's gradient with respect to the fused vector costs that
    task's head alone.

    Args:
        joint_dim: width of the fused vector.
        outputs: number of logits of each task.
        hidden: width of the last layer's input.
        dropout: on the last layer's input.
    """

    def __init__(
        self, joint_dim: int, outputs: Mapping[str, int], hidden: int = 128, dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.tasks = tuple(outputs)
        self.first = nn.ModuleList(
            nn.Sequential(nn.Linear(joint_dim, hidden), nn.LeakyReLU(), nn.Dropout(dropout))
            for _ in self.tasks
        )
        self.last = nn.ModuleList(nn.Linear(hidden, count) for count in outputs.values())

    def forward(
        self, joint: Float[Tensor, "b d"], levels: Sequence[Float[Tensor, "b _"]] = ()
    ) -> Heads:
        """Map the fused vector (B, d) to logits (B, C_f) and last-layer inputs (B, h) by task.

        ``levels`` is not used, and the third result, logits of deep supervision, is empty: other
        heads have both.
        """
        hidden = {task: layer(joint) for task, layer in zip(self.tasks, self.first, strict=True)}
        logits = {
            task: layer(hidden[task]) for task, layer in zip(self.tasks, self.last, strict=True)
        }
        return logits, hidden, []
