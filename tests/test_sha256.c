/* SHA-256 against the examples of FIPS 180-2 and of NIST's CAVP. */
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "suites.h"

/* The message is added in pieces of that many bytes. */
static const char *digest(const void *bytes, size_t size, size_t piece)
{
    static char text[SHA256_TEXT];
    Sha256 sha;
    sha256_start(&sha);
    for (size_t done = 0; done < size; done += piece)
        sha256_add(&sha, (const char *)bytes + done,
                   size - done < piece ? size - done : piece);
    sha256_text(&sha, text);
    return text;
}

static const struct {
    const char *message, *digest;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnop"
     "jklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"\xbd",
     "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
    {"\xc9\x8c\x8e\x55",
     "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"},
};

START_TEST(test_vectors)
{
    size_t size = strlen(vectors[_i].message);
    ck_assert_str_eq(digest(vectors[_i].message, size, size + 1),
                     vectors[_i].digest);
    ck_assert_str_eq(digest(vectors[_i].message, size, 1), vectors[_i].digest);
}
END_TEST

START_TEST(test_million)
{
    enum { MILLION = 1000000 };
    char *message = malloc(MILLION);
    ck_assert_ptr_nonnull(message);
    memset(message, 'a', MILLION);
    for (size_t piece = 1; piece <= MILLION; piece = piece * 7 + 2)
        ck_assert_str_eq(
            digest(message, MILLION, piece),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(message);
}
END_TEST

/* NIST's additional vectors: lengths around the end of a block, all zero. */
static const struct {
    size_t zeros;
    const char *digest;
} zeros[] = {
    {55, "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"},
    {56, "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"},
    {57, "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"},
    {64, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"},
    {1000, "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53"},
};

START_TEST(test_lengths)
{
    char message[1000] = {0};
    ck_assert_str_eq(digest(message, zeros[_i].zeros, 1000), zeros[_i].digest);
    ck_assert_str_eq(digest(message, zeros[_i].zeros, 3), zeros[_i].digest);
}
END_TEST

Suite *suite_sha256(void)
{
    Suite *suite = suite_create("sha256");
    TCase *tc = tcase_create("sha256");
    tcase_add_loop_test(tc, test_vectors, 0, sizeof vectors / sizeof *vectors);
    tcase_add_test(tc, test_million);
    tcase_add_loop_test(tc, test_lengths, 0, sizeof zeros / sizeof *zeros);
    suite_add_tcase(suite, tc);
    return suite;
}
