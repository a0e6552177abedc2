/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_memory.c: what is free is the least of what the kernel has and what each control group leaves, in both of their hierarchies.
 */
#include "files.h"

#include "base/memory.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Runs a command on the folder that is taken for the root of the file system. */
static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...) {
    char command[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *path, const char *text) {
    const char *root = files_path("root");
    shell("file=%s/%s; mkdir -p ${file%%/*} && printf '%s' >$file", root, path, text);
}

static double available(void) { return bnn_memory_available_in(files_path("root")); }

static void kernel_has_2000_kb(void) { put("proc/meminfo", "MemTotal: 99000000 kB\\nMemFree: 10 kB\\nMemAvailable:   2000 kB\\n"); }

static void remove_root(void) {
    shell("rm -rf %s", files_path("root"));
    files_remove();
}

START_TEST(without_groups_it_is_what_the_kernel_has) {
    ck_assert(isinf(available()));
    kernel_has_2000_kb();
    ck_assert_double_eq(available(), 2000 * 1024);
    put("proc/self/cgroup", "3:cpu:/a\\n");
    put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "5\\n");
    ck_assert_double_eq(available(), 2000 * 1024); /* a group of another controller */
    ck_assert(bnn_memory_available_in("") > 0);
    remove_root();
}
END_TEST

START_TEST(the_tightest_group_on_the_way_to_the_root_counts) {
    kernel_has_2000_kb();
    put("proc/self/cgroup", "0::/outer/inner\\n");
    put("sys/fs/cgroup/outer/inner/memory.max", "max\\n");
    put("sys/fs/cgroup/outer/inner/memory.current", "100\\n");
    ck_assert_double_eq(available(), 2000 * 1024);
    put("sys/fs/cgroup/outer/memory.max", "1000000\\n");
    put("sys/fs/cgroup/outer/memory.current", "300000\\n");
    ck_assert_double_eq(available(), 700000);
    put("sys/fs/cgroup/outer/memory.stat", "anon 5\\ninactive_file 200000\\nactive_file 7\\n"); /* which is given back when needed */
    ck_assert_double_eq(available(), 900000);
    put("sys/fs/cgroup/outer/inner/memory.max", "600000\\n");
    ck_assert_double_eq(available(), 599900);
    put("sys/fs/cgroup/outer/inner/memory.current", "700000\\n");
    ck_assert_double_eq(available(), 0);
    remove_root();
}
END_TEST

/* Inside a container the path may be one of the host's, which is not there: its own group is the root of what it sees. */
START_TEST(the_older_hierarchy_is_read_as_well) {
    kernel_has_2000_kb();
    put("proc/self/cgroup", "5:cpu,memory:/host/box\\n0::/\\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\\n");
    put("sys/fs/cgroup/memory/memory.usage_in_bytes", "4096\\n");
    ck_assert_double_eq(available(), 2000 * 1024);
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "500000\\n");
    ck_assert_double_eq(available(), 500000 - 4096);
    put("sys/fs/cgroup/memory/host/box/memory.limit_in_bytes", "400000\\n");
    put("sys/fs/cgroup/memory/host/box/memory.usage_in_bytes", "150000\\n");
    put("sys/fs/cgroup/memory/host/box/memory.stat", "inactive_file 1\\ntotal_inactive_file 50000\\n");
    ck_assert_double_eq(available(), 300000);
    remove_root();
}
END_TEST

int main(void) {
    return run_tests("memory",
                     (const TTest *const[]){without_groups_it_is_what_the_kernel_has, the_tightest_group_on_the_way_to_the_root_counts,
                                            the_older_hierarchy_is_read_as_well, NULL});
}
