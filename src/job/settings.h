/*
 * What `run` and `restart` were asked for: filled by the option table
 * (cli/options.c), used by the supervisor. Durations are nanoseconds.
 */
#ifndef CRAGON_JOB_SETTINGS_H
#define CRAGON_JOB_SETTINGS_H

#include "base/log.h"
#include "engine/engine.h"

#include <stdbool.h>

/* Bits of settings.given: named on the command line, so a restart does not
 * take the value of the first run. Set by the option table. */
enum {
	SETTING_INTERVAL = 1,
	SETTING_MAX_TIME = 2,
	SETTING_KEEP = 4,
	SETTING_COMPRESS = 8,
	SETTING_STOP_CODE = 16,
	SETTING_SIGNAL = 32,
	SETTING_NAMESPACES = 64,
	SETTING_WAIT_ALL = 128,
};

enum interval_mode { INTERVAL_AUTO, INTERVAL_OFF, INTERVAL_FIXED };

struct settings {
	unsigned given;	       /* SETTING_* */
	const char *directory; /* -w; NULL: default name */
	enum interval_mode interval_mode;
	uint64_t interval_ns; /* INTERVAL_FIXED */
	uint64_t max_time_ns; /* 0: none */
	unsigned keep;	      /* newest valid images kept, at least 1 */
	bool raw;	      /* --compress none */
	int zstd_level;	      /* 0: adapts */
	bool resume;
	int stop_code;
	int signal_checkpoint;
	enum engine_namespaces namespaces; /* --no-namespace */
	bool wait_all;
	bool json;
	enum log_level terminal; /* -q, -v */
};

#endif
