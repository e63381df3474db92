/* For the handlers of XLA's foreign function interface. */
#ifndef CTC_SHIM_XLA_FFI_H
#define CTC_SHIM_XLA_FFI_H
#include <stdint.h>
#include <string.h>

#include "xla/ffi/api/c_api.h"

static XLA_FFI_Error *failure(const XLA_FFI_CallFrame *frame, XLA_FFI_Error_Code code,
                              const char *message) {
    XLA_FFI_Error_Create_Args arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.struct_size = XLA_FFI_Error_Create_Args_STRUCT_SIZE;
    arguments.message = message;
    arguments.errc = code;
    return frame->api->XLA_FFI_Error_Create(&arguments);
}

/* Answers XLA, which asks once for the version of its interface that this was built against. */
static int is_question(XLA_FFI_CallFrame *frame) {
    XLA_FFI_Metadata *answer;
    if (!frame->extension_start || frame->extension_start->type != XLA_FFI_Extension_Metadata)
        return 0;
    answer = ((XLA_FFI_Metadata_Extension *)frame->extension_start)->metadata;
    answer->api_version.major_version = XLA_FFI_API_MAJOR;
    answer->api_version.minor_version = XLA_FFI_API_MINOR;
    return 1;
}

static int64_t attribute(const XLA_FFI_CallFrame *frame, const char *name) {
    int64_t i;
    for (i = 0; i < frame->attrs.size; i++) {
        const XLA_FFI_ByteSpan *found = frame->attrs.names[i];
        if (found->len == strlen(name) && !memcmp(found->ptr, name, found->len))
            return *(const int64_t *)((const XLA_FFI_Scalar *)frame->attrs.attrs[i])->value;
    }
    return 0;
}
#endif
