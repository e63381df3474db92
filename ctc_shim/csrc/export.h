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
#endif
