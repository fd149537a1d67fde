/* What the unit tests share: cmocka's headers in the order it needs, and a
 * temporary directory that goes when the test ends. */
#ifndef CRAGON_TEST_UTIL_H
#define CRAGON_TEST_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/defs.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline int util_remove_one(
	const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void util_remove_tree(const char *path)
{
	nftw(path, util_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static inline void util_remove_dir_p(char (*path)[64])
{
	util_remove_tree(*path);
}

static inline void util_make_dir(char out[static 64])
{
	snprintf(out, 64, "/tmp/cragon-test-XXXXXX");
	assert_non_null(mkdtemp(out));
}

#define TEMP_DIR(name)                            \
	cleanup(util_remove_dir_p) char name[64]; \
	util_make_dir(name)

/* A call that returns -errno and fills `e`: show the message when it fails. */
#define assert_ok(call)                                            \
	do {                                                       \
		int ok_ = (call);                                  \
		if (ok_ < 0)                                       \
			fail_msg("%s: %d %s", #call, ok_, e.text); \
	} while (0)

#endif
