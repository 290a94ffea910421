"""Focal cross entropy and its gradient in closed form (eqs 8-10, Lin et al. 2017).

With p the probability of the true class and q = 1 - p, a row's loss is -q^beta log p. Both heads
share one slope, the derivative by the true class's log odds:

    a = q^beta (beta p log p - q)

A sigmoid's gradient is +a for a positive row and -a for a negative one; a softmax's is a for the
true class and -a c_k for the others, with c the softmax among the others alone. Written with
log p and log q, each exact on its own, nothing overflows and no power of zero is ever
differentiated, so that no probability needs clamping.

Logits are (B, C): one column is a sigmoid head's, with targets 0 and 1; more are a softmax head's.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid


def focal_loss(
    logits: Float[Tensor, "b c"], targets: Int[Tensor, " b"], beta: float
) -> Float[Tensor, " b"]:
    """Return each row's focal loss; beta 0 is plain cross entropy."""
    if logits.shape[1] == 1:
        log_p, log_q = _sigmoid_logs(logits, targets)
    else:
        log_p, log_others = _softmax_logs(logits, targets)
        log_q = log_others.logsumexp(dim=1)
    return -log_p if beta == 0 else -torch.exp(beta * log_q) * log_p


def focal_gradient(
    logits: Float[Tensor, "b c"], targets: Int[Tensor, " b"], beta: float
) -> Float[Tensor, "b c"]:
    """Return the derivatives of each row's focal loss by its logits."""
    if logits.shape[1] == 1:
        slope = _slope(*_sigmoid_logs(logits, targets), beta)
        return torch.where(targets == 1, slope, -slope)[:, None]
    log_p, log_others = _softmax_logs(logits, targets)
    log_q = log_others.logsumexp(dim=1)
    slope = _slope(log_p, log_q, beta)[:, None]
    among_others = (log_others - log_q[:, None]).exp()  # 0 for the true class
    return (-slope * among_others).scatter(1, targets[:, None], slope)


def _slope(log_p: Tensor, log_q: Tensor, beta: float) -> Tensor:
    return torch.exp(beta * log_q) * (beta * log_p.exp() * log_p - log_q.exp())


def _sigmoid_logs(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p and log q of each row."""
    logits = _full(logits).squeeze(1)
    margin = torch.where(targets == 1, logits, -logits)
    return logsigmoid(margin), logsigmoid(-margin)


def _softmax_logs(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p of each row, and the other classes' log probabilities: -inf for the true one."""
    log_probabilities = log_softmax(_full(logits), dim=1)
    true = targets[:, None]
    others = log_probabilities.scatter(1, true, -torch.inf)
    return log_probabilities.gather(1, true).squeeze(1), others


def _full(logits: Tensor) -> Tensor:
    # Half precision has 3 digits: enough for a network's layers, not for a log-likelihood.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
