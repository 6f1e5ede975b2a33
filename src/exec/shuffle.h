/* How a template rearranges vectors: a file that includes this has defined
 * VECTOR_BYTES and REAL_BYTES, and there is no include guard, since each copy
 * of a template wants its own. */
#undef ZIP_LOW
#undef ZIP_HIGH
#undef UNZIP_EVEN
#undef UNZIP_ODD

/* ZIP: the elements of a and b in turns, the first and the second half of that.
 * UNZIP: every other element of a, then of b. */
#if VECTOR_BYTES / REAL_BYTES == 2
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 2)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 1, 3)
#define UNZIP_EVEN(a, b) ZIP_LOW(a, b)
#define UNZIP_ODD(a, b) ZIP_HIGH(a, b)
#elif VECTOR_BYTES / REAL_BYTES == 4
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define UNZIP_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define UNZIP_ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#elif VECTOR_BYTES / REAL_BYTES == 8
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define UNZIP_EVEN(a, b)                                                       \
    __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define UNZIP_ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#else
#define ZIP_LOW(a, b)                                                          \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, \
                            22, 7, 23)
#define ZIP_HIGH(a, b)                                                         \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,    \
                            29, 14, 30, 15, 31)
#define UNZIP_EVEN(a, b)                                                       \
    __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22,   \
                            24, 26, 28, 30)
#define UNZIP_ODD(a, b)                                                        \
    __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23,   \
                            25, 27, 29, 31)
#endif
