/* The copy for integers, of a template that has one: see real_f32.h. */
#undef REAL
#undef R
#undef M
#undef BITS
#define REAL int64_t
#define R(name) name##_i64
