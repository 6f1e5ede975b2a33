/* The float64 copy: see real_f32.h. */
#undef REAL
#undef R
#undef M
#undef BITS
#undef REAL_BYTES
#define REAL double
#define R(name) name##_f64
#define M(name) name
#define BITS int64_t
#define REAL_BYTES 8
