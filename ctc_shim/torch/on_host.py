"""Alignment, posteriors and decoding for PyTorch (inside functions): tensors in, tensors out.

The array versions compute; here tensors only move to the host and the results back to where the scores are.
"""

from ctc_shim import align, decode


def torch_ctc_align(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    *,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """`ctc_align` for PyTorch: an `Alignment` of tensors on the device of `logits`.

    A CUDA tensor is copied to the host and the results are copied back. No gradient passes. Arguments, results and errors are
    those of `ctc_align`; bfloat16 and float16 scores give float32.
    """
    found = align.ctc_align(
        *_hosted(logits, targets, input_lengths, target_lengths),
        blank,
        normalize=normalize,
        infeasible=infeasible,
        time_major=time_major,
    )
    return align.Alignment(*_back(logits, *found))


def torch_ctc_posteriors(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    *,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """`ctc_posteriors` for PyTorch: a tensor shaped as `logits`, on its device. See `torch_ctc_align`."""
    found = align.ctc_posteriors(
        *_hosted(logits, targets, input_lengths, target_lengths),
        blank,
        normalize=normalize,
        infeasible=infeasible,
        time_major=time_major,
    )
    return _back(logits, found)[0]


def torch_ctc_greedy_decode(
    logits, input_lengths, blank=0, *, normalize=True, merge_repeated=True, time_major=False
):
    """`ctc_greedy_decode` for PyTorch: labels (N, L) and log_probs (N,) on the device of `logits`. See `torch_ctc_align`."""
    return _back(
        logits,
        *decode.ctc_greedy_decode(
            *_hosted(logits, input_lengths),
            blank,
            normalize=normalize,
            merge_repeated=merge_repeated,
            time_major=time_major,
        ),
    )


def torch_ctc_beam_search_decode(
    logits,
    input_lengths,
    blank=0,
    *,
    beam_width=100,
    top_paths=1,
    normalize=True,
    merge_repeated=False,
    exact=False,
    time_major=False,
):
    """`ctc_beam_search_decode` for PyTorch: labels (N, top_paths, L) and log_probs (N, top_paths). See `torch_ctc_align`."""
    return _back(
        logits,
        *decode.ctc_beam_search_decode(
            *_hosted(logits, input_lengths),
            blank,
            beam_width=beam_width,
            top_paths=top_paths,
            normalize=normalize,
            merge_repeated=merge_repeated,
            exact=exact,
            time_major=time_major,
        ),
    )


def _hosted(*values):
    """numpy arrays of tensors; whatever is no tensor stays as it is. numpy knows no bfloat16, float32 holds all of it."""
    import torch

    tensors = [
        value.detach().cpu() if isinstance(value, torch.Tensor) else value for value in values
    ]
    return [
        value.float() if getattr(value, "dtype", None) == torch.bfloat16 else value
        for value in tensors
    ]


def _back(logits, *arrays):
    import torch

    return tuple(
        torch.as_tensor(array, device=getattr(logits, "device", "cpu")) for array in arrays
    )
