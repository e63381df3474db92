/* Tells a loader what a library was built from; include it in one C file of each library.
 * The build defines CTC_SHIM_SOURCE_HASH, see ctc_shim/native/sources.py. */
#ifndef CTC_SHIM_IDENTITY_H
#define CTC_SHIM_IDENTITY_H
#include "ctc_shim.h"
#include "export.h"

#define CTC_SHIM_TEXT_OF(token) #token
#define CTC_SHIM_TEXT(macro) CTC_SHIM_TEXT_OF(macro)
#if !defined(CTC_SHIM_SOURCE_HASH)
#define CTC_SHIM_SOURCE_HASH unknown
#endif

CTC_SHIM_EXPORT int64_t ctc_shim_abi(void) { return CTC_SHIM_ABI; }
CTC_SHIM_EXPORT const char *ctc_shim_source_hash(void) {
    return CTC_SHIM_TEXT(CTC_SHIM_SOURCE_HASH);
}
#endif
