/* As float.inc.h. */
#undef REAL
#undef TYPED
#define REAL double
#define TYPED(name) name##_f64
