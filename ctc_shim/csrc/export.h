/* How a library marks the functions that others call. */
#ifndef CTC_SHIM_EXPORT_H
#define CTC_SHIM_EXPORT_H

#if defined(_WIN32)
#define CTC_SHIM_EXPORT_AS __declspec(dllexport)
#else
#define CTC_SHIM_EXPORT_AS
#endif
#if defined(__cplusplus)
#define CTC_SHIM_EXPORT extern "C" CTC_SHIM_EXPORT_AS
#else
#define CTC_SHIM_EXPORT CTC_SHIM_EXPORT_AS
#endif

/* The name of an entry in one of the variants that cpu/dispatch.c chooses from. */
#define CTC_SHIM_JOINED(name, variant) name##_##variant
#define CTC_SHIM_JOIN(name, variant) CTC_SHIM_JOINED(name, variant)
#if defined(CTC_SHIM_VARIANT)
#define CTC_SHIM_ENTRY(name) CTC_SHIM_JOIN(name, CTC_SHIM_VARIANT)
#else
#define CTC_SHIM_ENTRY(name) name
#endif
#endif
