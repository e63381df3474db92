/* The entries of the library for CPUs: they call the best variant that this processor runs.
 *
 * loss.c, decode.c and align.c are compiled once for each variant, with CTC_SHIM_VARIANT and
 * options of the compiler (native/sources.py), and this file without such options, with
 * CTC_SHIM_HAS_v2 and so on for the variants that the compiler could make. So one file serves all
 * processors of a kind. */
#include "dispatch.h"

#include "../export.h"
#include "../identity.h"

typedef int64_t ctc_shim_loss_entry(ctc_shim_call *call);
typedef int64_t ctc_shim_decode_entry(ctc_shim_decode_call *call);
typedef struct {
    ctc_shim_loss_entry *loss;
    ctc_shim_decode_entry *decode;
    ctc_shim_loss_entry *align;
    const char *name;
} ctc_shim_choice;

#define CTC_SHIM_DECLARE(variant) \
    CTC_SHIM_EXPORT ctc_shim_loss_entry ctc_shim_loss_##variant; \
    CTC_SHIM_EXPORT ctc_shim_decode_entry ctc_shim_decode_##variant; \
    CTC_SHIM_EXPORT ctc_shim_loss_entry ctc_shim_align_##variant;
#define CTC_SHIM_CHOICE(variant) \
    {ctc_shim_loss_##variant, ctc_shim_decode_##variant, ctc_shim_align_##variant, #variant}
#define CTC_SHIM_NO_CHOICE {NULL, NULL, NULL, NULL}

CTC_SHIM_DECLARE(base)
#if defined(CTC_SHIM_HAS_v2)
CTC_SHIM_DECLARE(v2)
#endif
#if defined(CTC_SHIM_HAS_v3)
CTC_SHIM_DECLARE(v3)
#endif
#if defined(CTC_SHIM_HAS_v4)
CTC_SHIM_DECLARE(v4)
#endif

static const ctc_shim_choice ctc_shim_choices[CTC_SHIM_LEVELS] = {
    CTC_SHIM_CHOICE(base),
#if defined(CTC_SHIM_HAS_v2)
    CTC_SHIM_CHOICE(v2),
#else
    CTC_SHIM_NO_CHOICE,
#endif
#if defined(CTC_SHIM_HAS_v3)
    CTC_SHIM_CHOICE(v3),
#else
    CTC_SHIM_NO_CHOICE,
#endif
#if defined(CTC_SHIM_HAS_v4)
    CTC_SHIM_CHOICE(v4),
#else
    CTC_SHIM_NO_CHOICE,
#endif
};

/* Each thread that comes first finds the same. */
static const ctc_shim_choice *ctc_shim_chosen(void) {
    static const ctc_shim_choice *chosen = NULL;
    const ctc_shim_choice *found = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (!found) {
        found = &ctc_shim_choices[ctc_shim_level()];
        while (!found->loss) found--;
        __atomic_store_n(&chosen, found, __ATOMIC_RELAXED);
    }
    return found;
}

CTC_SHIM_EXPORT int64_t ctc_shim_loss(ctc_shim_call *call) { return ctc_shim_chosen()->loss(call); }

CTC_SHIM_EXPORT int64_t ctc_shim_decode(ctc_shim_decode_call *call) {
    return ctc_shim_chosen()->decode(call);
}

CTC_SHIM_EXPORT int64_t ctc_shim_align(ctc_shim_call *call) {
    return ctc_shim_chosen()->align(call);
}

CTC_SHIM_EXPORT const char *ctc_shim_variant(void) { return ctc_shim_chosen()->name; }

/* Two frames of two equal scores, target (1): of four paths three are right, and the label is in
 * two of these three at each frame. */
static int ctc_shim_is_right(const ctc_shim_choice *choice) {
    double logits[4] = {0, 0, 0, 0}, gradient[4], loss, log_p;
    int64_t target = 1, frames = 2, labels = 1, found[2] = {-1, -1}, length;
    ctc_shim_call call;
    ctc_shim_decode_call decode;
    int i, right;
    memset(&call, 0, sizeof call);
    memset(&decode, 0, sizeof decode);
    call.type = decode.type = CTC_SHIM_TYPE_F64;
    call.logits = decode.logits = logits;
    call.N = call.S = decode.N = 1;
    call.T = call.C = decode.T = decode.C = 2;
    call.logits_stride_n = call.gradient_stride_n = decode.logits_stride_n = 32;
    call.logits_stride_t = call.gradient_stride_t = decode.logits_stride_t = 16;
    call.logits_stride_c = decode.logits_stride_c = 8;
    call.normalize = decode.normalize = 1;
    call.targets = &target;
    call.input_lengths = decode.input_lengths = &frames;
    call.target_lengths = &labels;
    call.loss = &loss;
    call.gradient = gradient;
    right = choice->loss(&call) == 0 && fabs(loss - log(4.0 / 3)) < 1e-9;
    for (i = 0; i < 4; i++) right &= fabs(gradient[i] - (i % 2 ? -1.0 : 1.0) / 6) < 1e-9;
    decode.beam_width = 2;
    decode.paths = 1;
    decode.labels = found;
    decode.lengths = &length;
    decode.log_probs = &log_p;
    right &= choice->decode(&decode) == 0 && length == 1 && found[0] == 1;
    call.states = found;
    right &= choice->align(&call) == 0 && found[0] == 1 && found[1] == 1;
    return right && fabs(log_p - log(0.75)) < 1e-9;
}

CTC_SHIM_EXPORT int64_t ctc_shim_trial(void) {
    int64_t level, wrong = 0;
    for (level = ctc_shim_level(); level >= 0; level--)
        wrong += ctc_shim_choices[level].loss && !ctc_shim_is_right(&ctc_shim_choices[level]);
    return wrong;
}
