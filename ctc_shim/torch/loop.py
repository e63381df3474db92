"""CTC in plain torch operations (inside functions), a frame at a time: where ctc_loss and PyTensor's PyTorch linker get
their second derivative.

It runs in float64, on sequences that have an answer (a finite loss) only, so an impossible state may be a very low number here:
its share in any sum is exactly 0, and no number of it is shown.
"""

NEVER = -1e30


def answerable(loss, targets, input_lengths, target_lengths, infeasible):
    """(N,) bool: not infinite, and not an infeasible target whose loss the policy "zero" made 0. (NaN must be passed on.)"""
    import torch

    if infeasible != "zero":
        return ~torch.isposinf(loss)
    valid = (
        torch.arange(targets.shape[1], device=targets.device)[None, 1:] < target_lengths[:, None]
    )
    repeats = ((targets[:, 1:] == targets[:, :-1]) & valid).sum(dim=1)
    return (input_lengths >= target_lengths + repeats) & ~torch.isposinf(loss)


def hessian_product(
    logits,
    direction,
    answerable,
    targets,
    input_lengths,
    target_lengths,
    blank,
    normalize,
    time_major,
):
    """Hessian of the summed loss times `direction`, both shaped as `logits`; 0 for sequences that are not answerable.

    NaN scores give NaN for their own sequence.
    """
    import torch

    with torch.enable_grad():
        z = logits.detach().requires_grad_()
        by_row = z.transpose(0, 1) if time_major else z
        loss = _loss(
            by_row.double(), answerable, targets, input_lengths, target_lengths, blank, normalize
        )
        (gradient,) = torch.autograd.grad(loss.sum(), z, create_graph=True)
        return torch.autograd.grad(gradient, z, direction)[0]


def _loss(scores, answerable, targets, input_lengths, target_lengths, blank, normalize):
    """Graves 2006, equations (5) - (8), in two lanes as in graph.py: `b` the blanks between labels, `l` the labels."""
    import torch

    N, T, _ = scores.shape
    S = targets.shape[1]
    frame_is_valid = (
        torch.arange(T, device=scores.device)[None, :] < input_lengths[:, None]
    ) & answerable[:, None]  # (N, T)
    label_is_valid = (
        torch.arange(S, device=scores.device)[None, :] < target_lengths[:, None]
    ) & answerable[:, None]  # (N, S)
    labels = torch.where(label_is_valid, targets, 0)
    read = torch.where(frame_is_valid[:, :, None], scores, 0.0)
    log_p = torch.log_softmax(read, dim=2) if normalize else read
    emit_b = log_p[:, :, blank].clamp(min=NEVER)  # (N, T)
    emit_l = torch.gather(log_p, 2, labels[:, None, :].expand(N, T, S)).clamp(
        min=NEVER
    )  # (N, T, S)
    emit_l = torch.where(label_is_valid[:, None, :], emit_l, NEVER)
    may_skip = torch.nn.functional.pad(labels[:, 1:] != labels[:, :-1], (1, 0), value=False)[:, :S]
    b = torch.full((N, S + 1), NEVER, dtype=scores.dtype, device=scores.device)
    b[:, 0] = 0
    l = torch.full((N, S), NEVER, dtype=scores.dtype, device=scores.device)
    for t in range(T):
        before = _shifted(l)  # (N, S + 1): the label before each blank
        to_b = torch.logsumexp(torch.stack([b, before]), 0) + emit_b[:, t, None]
        to_l = (
            torch.logsumexp(
                torch.stack([l, b[:, :-1], torch.where(may_skip, before[:, :-1], NEVER)]), 0
            )
            + emit_l[:, t]
        )
        going = frame_is_valid[:, t, None]
        b, l = torch.where(going, _floored(to_b), b), torch.where(going, _floored(to_l), l)
    whole = torch.logsumexp(torch.stack([b, _shifted(l)]), 0)
    last = torch.where(answerable, target_lengths, 0)
    return -whole.gather(1, last[:, None])[:, 0]


def _shifted(labels):
    import torch

    return torch.nn.functional.pad(labels, (1, 0), value=NEVER)


def _floored(states):
    """Impossible states as constants: what leads to them must not grow from frame to frame."""
    import torch

    return torch.where(
        states > 0.1 * NEVER, states, torch.where(torch.isnan(states), states, NEVER)
    )
