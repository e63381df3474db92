// The calls of a CUDA driver that doctor makes besides those of launcher.c: host memory stands for
// that of a device, of which there is one.
#include <cstdlib>

extern "C" {
int fake_allocations; // that were not freed

int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, maybe("cuDeviceGet"); }
int cuDeviceGetName(char *name, int room, int) {
    return snprintf(name, room, "emulated GPU") < room ? maybe("cuDeviceGetName") : 1;
}
int cuDevicePrimaryCtxRetain(void **context, int) {
    return *context = &fake_allocations, maybe("cuDevicePrimaryCtxRetain");
}
int cuDevicePrimaryCtxRelease_v2(int) { return maybe("cuDevicePrimaryCtxRelease_v2"); }
int cuCtxPushCurrent_v2(void *context) {
    return maybe("cuCtxPushCurrent_v2") ? failure : context != &fake_allocations;
}
int cuCtxPopCurrent_v2(void **) { return maybe("cuCtxPopCurrent_v2"); }
int cuCtxSynchronize() { return maybe("cuCtxSynchronize"); }
int cuMemAlloc_v2(void **memory, size_t bytes) {
    if (maybe("cuMemAlloc_v2")) return failure;
    fake_allocations++;
    return (*memory = malloc(bytes)) == nullptr;
}
int cuMemFree_v2(void *memory) { return fake_allocations--, free(memory), maybe("cuMemFree_v2"); }
int cuMemcpyHtoD_v2(void *device, const void *host, size_t bytes) {
    return memcpy(device, host, bytes), maybe("cuMemcpyHtoD_v2");
}
int cuMemcpyDtoH_v2(void *host, const void *device, size_t bytes) {
    return memcpy(host, device, bytes), maybe("cuMemcpyDtoH_v2");
}
}
