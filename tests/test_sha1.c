/* SHA-1, and the checksums of data in other files. */
#include <stdio.h>
#include <string.h>

#include "base/sha1.h"
#include "external.h"
#include "suites.h"

static void digest_text(const void *bytes, size_t size, char text[41])
{
    Sha1 sha;
    uint8_t digest[SHA1_SIZE];
    sha1_start(&sha);
    /* In pieces of all sizes. */
    for (size_t done = 0, now = 1; done < size; done += now, now++) {
        if (now > size - done)
            now = size - done;
        sha1_add(&sha, (const char *)bytes + done, now);
    }
    sha1_end(&sha, digest);
    for (int i = 0; i < SHA1_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

/* The examples of FIPS 180-4, and a million letters. */
START_TEST(sha1_is_sha1)
{
    char text[41];
    digest_text("", 0, text);
    ck_assert_str_eq(text, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    digest_text("abc", 3, text);
    ck_assert_str_eq(text, "a9993e364706816aba3e25717850c26c9cd0d89d");
    digest_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                text);
    ck_assert_str_eq(text, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    char *letters = arena_alloc(arena, 1000000);
    memset(letters, 'a', 1000000);
    digest_text(letters, 1000000, text);
    ck_assert_str_eq(text, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}
END_TEST

START_TEST(a_checksum_must_be_right)
{
    char text[41];
    Entries entries = {"n.bin", "4", "8", text};
    put_numbers("n.bin");
    digest_text(four_numbers, sizeof four_numbers, text);
    check_w(external_read(model_with(&entries)), 2, 3);
    for (char *c = text; *c; c++)
        *c = (char)(*c >= 'a' ? *c - 32 : *c);
    check_w(external_read(model_with(&entries)), 2, 3);
    text[39] = text[39] == '0' ? '1' : '0';
    external_refused(model_with(&entries), "does not have the checksum");
    text[39] = 'g';
    external_refused(model_with(&entries), "not a SHA-1 digest");
    text[39] = '0';
    text[38] = 'g';
    external_refused(model_with(&entries), "not a SHA-1 digest");
    text[39] = '\0';
    external_refused(model_with(&entries), "not a SHA-1 digest");
}
END_TEST

Suite *suite_sha1(void)
{
    Suite *suite = suite_create("sha1");
    TCase *tcase = tcase_create("sha1");
    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_test(tcase, sha1_is_sha1);
    tcase_add_test(tcase, a_checksum_must_be_right);
    suite_add_tcase(suite, tcase);
    return suite;
}
