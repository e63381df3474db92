/* Loads a library for CPUs as Python would, and lets it judge itself: try_library PATH */
#include <stdint.h>
#include <stdio.h>
#if defined(_WIN32)
#include <windows.h>
#define OPEN(path) (void *)LoadLibraryA(path)
#define FIND(library, name) (void *)GetProcAddress((HMODULE)(library), name)
#else
#include <dlfcn.h>
#define OPEN(path) dlopen(path, RTLD_NOW)
#define FIND(library, name) dlsym(library, name)
#endif

int main(int count, char **arguments) {
    void *library = count > 1 ? OPEN(arguments[1]) : NULL, *variant, *processors, *trial;
    int64_t wrong;
    if (!library) {
        printf("%s cannot be loaded\n", count > 1 ? arguments[1] : "nothing");
        return 1;
    }
    variant = FIND(library, "ctc_shim_variant");
    processors = FIND(library, "ctc_shim_processors");
    trial = FIND(library, "ctc_shim_trial");
    if (!variant || !processors || !trial) return 1;
    wrong = ((int64_t (*)(void))trial)();
    printf("loaded: variant %s, %d processors, %d variants wrong\n",
           ((const char *(*)(void))variant)(), (int)((int64_t (*)(void))processors)(), (int)wrong);
    return wrong != 0;
}
