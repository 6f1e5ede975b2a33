/* How much memory there may be, by what control groups say. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/machine.h"
#include "cli.h"
#include "suites.h"

/* Writes a file and the folders above it. */
static void write_text(const char *name, const char *text)
{
    char path[4096];
    size_t start = strlen(cli_path(""));
    snprintf(path, sizeof path, "%s", cli_path(name));
    for (char *at = path + start; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    cli_write(name, text, strlen(text));
}

static size_t limit(void)
{
    char membership[4096];
    snprintf(membership, sizeof membership, "%s", cli_path("cgroup"));
    return cgroup_memory(membership, cli_path("mount"));
}

START_TEST(without_groups_there_is_no_limit)
{
    ck_assert_uint_eq(limit(), SIZE_MAX);
    write_text("cgroup", "0::/job\n");
    ck_assert_uint_eq(limit(), SIZE_MAX);
    write_text("mount/job/memory.max", "max\n");
    ck_assert_uint_eq(limit(), SIZE_MAX);
    ck_assert_uint_gt(machine_memory(), 0);
    ck_assert_uint_lt(machine_memory(), SIZE_MAX);
}
END_TEST

START_TEST(a_group_has_no_more_than_those_above_it)
{
    write_text("cgroup", "0::/slice/job\n");
    write_text("mount/slice/job/memory.max", "5000\n");
    ck_assert_uint_eq(limit(), 5000);
    write_text("mount/slice/memory.max", "4000\n");
    ck_assert_uint_eq(limit(), 4000);
    write_text("mount/memory.max", "3000\n");
    ck_assert_uint_eq(limit(), 3000);
}
END_TEST

/* In a container the path is the host's, and the mount the group's own. */
START_TEST(a_path_that_is_not_there_leaves_the_mount)
{
    write_text("cgroup", "0::/of/the/host\n");
    write_text("mount/memory.max", "2000\n");
    ck_assert_uint_eq(limit(), 2000);
}
END_TEST

START_TEST(version_1_has_a_folder_for_memory)
{
    write_text("cgroup", "7:cpu,memory:/job\n3:memoryless:/job\n0::/\n");
    write_text("mount/memory/job/memory.limit_in_bytes", "7000\n");
    write_text("mount/memory/memory.limit_in_bytes", "9223372036854771712\n");
    ck_assert_uint_eq(limit(), 7000);
}
END_TEST

/* What is no such list says nothing. */
START_TEST(other_lines_are_passed_over)
{
    write_text("mount/memory.max", "2000\n");
    write_text("cgroup", "\n:\nmemory\n5:memory\n");
    ck_assert_uint_eq(limit(), SIZE_MAX);
}
END_TEST

Suite *suite_machine(void)
{
    Suite *suite = suite_create("machine");
    TCase *tcase = tcase_create("machine");
    tcase_add_checked_fixture(tcase, cli_setup, cli_teardown);
    tcase_add_test(tcase, without_groups_there_is_no_limit);
    tcase_add_test(tcase, a_group_has_no_more_than_those_above_it);
    tcase_add_test(tcase, a_path_that_is_not_there_leaves_the_mount);
    tcase_add_test(tcase, version_1_has_a_folder_for_memory);
    tcase_add_test(tcase, other_lines_are_passed_over);
    suite_add_tcase(suite, tcase);
    return suite;
}
