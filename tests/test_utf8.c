/* UTF-8: what is well formed, and where it may be cut. */
#include <string.h>

#include "base/utf8.h"
#include "suites.h"

START_TEST(sequences_are_those_of_the_table)
{
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {
        {"a", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        /* overlong, surrogates, beyond U+10FFFF, cut off, out of place */
        {"\xc0\x80", 0},
        {"\xc1\xbf", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xed\xa0\x80", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xc3", 0},
        {"\xe2\x82", 0},
        {"\x80", 0},
        {"\xff", 0},
        {"\xc3(", 0},
        {"\xf0\x90\x80(", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_uint_eq(utf8_sequence(cases[i].text, strlen(cases[i].text)),
                          cases[i].length);
    ck_assert_uint_eq(utf8_sequence("", 0), 0);
}
END_TEST

START_TEST(a_cut_is_between_sequences)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac";
    static const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6};
    for (size_t most = 0; most < sizeof ends / sizeof *ends; most++)
        ck_assert_uint_eq(utf8_cut(text, most), ends[most]);
    ck_assert_uint_eq(utf8_cut("\x80\x80\x80", 2), 0);
}
END_TEST

Suite *suite_utf8(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tcase = tcase_create("utf8");
    tcase_add_test(tcase, sequences_are_those_of_the_table);
    tcase_add_test(tcase, a_cut_is_between_sequences);
    suite_add_tcase(suite, tcase);
    return suite;
}
