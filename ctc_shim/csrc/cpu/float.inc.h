/* For a file of functions that exist for each element type, which is included after this one, then
 * after double.inc.h: REAL is the type, TYPED(name) adds its suffix to a name. */
#undef REAL
#undef TYPED
#define REAL float
#define TYPED(name) name##_f32
