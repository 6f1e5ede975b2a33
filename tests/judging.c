#include "judging.h"

#include <check.h>
#include <string.h>

rp_verdict_info judge_pair(Arena *arena, const Model *a, const Model *b,
                           bool folded, rp_verify_options options)
{
    rp_verdict_info info;
    Err err = {0};
    options.threads = 2;
    ck_assert_msg(judge_models(arena, a, b, folded, &options, &info, &err) == 0,
                  "%s", err.message);
    return info;
}

void check_verdict(const rp_verdict_info *info, const char *verdict)
{
    ck_assert_msg(strcmp(info->verdict, verdict) == 0, "%s: %s", info->verdict,
                  info->why ? info->why : "");
    ck_assert(strcmp(verdict, "equivalent") == 0 || info->why);
}

void check_words(const rp_verdict_info *info, const char *words)
{
    ck_assert_msg(info->why && strstr(info->why, words), "%s",
                  info->why ? info->why : "(nothing)");
}
