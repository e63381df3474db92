// warp-ctc's C interface on our kernel, and its own tests, each by itself:
//     c++ -I WARP_CTC/include -I WARP_CTC/tests warp_ctc.cpp processors.c -lpthread
// Prints a line for each test.
#include "../../ctc_shim/csrc/cpu/loss.c"

#define main main_of_warp_ctc
#include "test_cpu.cpp"
#undef main

namespace {
template <class Real> ctcStatus_t loss_of(ctc_shim_type type, const Real *activations,
                                          Real *gradients, const int *labels,
                                          const int *label_lengths, const int *input_lengths, int C,
                                          int N, Real *costs, const ctcOptions &options) {
    std::vector<int64_t> frames(input_lengths, input_lengths + N),
        counts(label_lengths, label_lengths + N);
    const int64_t S = *std::max_element(counts.begin(), counts.end()), item = sizeof(Real);
    std::vector<int64_t> targets((size_t)(N * S));
    for (int64_t n = 0; n < N; labels += counts[(size_t)n++])
        std::copy_n(labels, counts[(size_t)n], targets.begin() + n * S);
    ctc_shim_call call = {};
    call.type = type;
    call.logits = activations;
    call.T = *std::max_element(frames.begin(), frames.end());
    call.N = N, call.C = C, call.S = S;
    call.logits_stride_t = call.gradient_stride_t = N * C * item;
    call.logits_stride_n = call.gradient_stride_n = C * item;
    call.logits_stride_c = item;
    call.targets = targets.data();
    call.targets_stride_n = 8 * S, call.targets_stride_s = 8;
    call.input_lengths = frames.data(), call.target_lengths = counts.data();
    call.input_lengths_stride = call.target_lengths_stride = 8;
    call.blank = options.blank_label;
    call.normalize = 1;
    call.loss = costs, call.gradient = gradients;
    call.threads = options.num_threads;
    return ctc_shim_loss(&call) ? CTC_STATUS_INVALID_VALUE : CTC_STATUS_SUCCESS;
}
} // namespace

int get_warpctc_version() { return 2; }
const char *ctcGetStatusString(ctcStatus_t status) { return status ? "refused" : "no error"; }
ctcStatus_t get_workspace_size(const int *, const int *, int, int, ctcOptions, size_t *bytes) {
    *bytes = 1;
    return CTC_STATUS_SUCCESS;
}
ctcStatus_t compute_ctc_loss(const float *activations, float *gradients, const int *labels,
                             const int *label_lengths, const int *input_lengths, int C, int N,
                             float *costs, void *, ctcOptions options) {
    return loss_of(CTC_SHIM_TYPE_F32, activations, gradients, labels, label_lengths, input_lengths,
                   C, N, costs, options);
}

int main() {
    std::cout << "small_test " << small_test() << "\noptions_test " << options_test()
              << "\ninf_test " << inf_test() << "\nrun_tests " << run_tests() << std::endl;
}
