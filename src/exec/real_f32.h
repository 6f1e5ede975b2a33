/* Makes what is included next the float32 copy of a template; there is no
 * include guard, since each template wants it once. */
#undef REAL
#undef R
#undef M
#undef BITS
#undef REAL_BYTES
#define REAL float
#define R(name) name##_f32 /* a function of this copy */
#define M(name) name##f    /* a function of libm */
#define BITS int32_t       /* an integer of its size */
#define REAL_BYTES 4
