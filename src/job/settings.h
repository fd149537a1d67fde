/*
 * What `run` and `restart` were asked for: filled by the option table
 * (cli/options.c), used by the supervisor. Durations are nanoseconds.
 */
#ifndef CRAGON_JOB_SETTINGS_H
#define CRAGON_JOB_SETTINGS_H

#include "base/log.h"
#include "engine/engine.h"
#include "store/store.h"

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
	SETTING_METRICS = 256,
	SETTING_ON_MEMORY = 512,
	SETTING_MEMORY_MAX = 1024,
	SETTING_RETRY = 2048,
	SETTING_MTBF = 4096,
	SETTING_HANG = 8192,
	SETTING_QUOTA = 16384,
	SETTING_KEEP_HOURLY = 32768,
	SETTING_KEEP_DAILY = 65536,
	SETTING_FILES = 131072,
	SETTING_PLUGIN = 262144,
};

#define SETTINGS_PLUGINS_MAX 16

enum interval_mode { INTERVAL_AUTO, INTERVAL_OFF, INTERVAL_FIXED };

/* What a failed allocation does: it waits until Cragon has taken a checkpoint,
 * or fails as without Cragon. */
enum memory_mode { MEMORY_HOLD, MEMORY_FAIL };

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
	bool no_intercept; /* only `run` decides: the object is in the job or not */
	enum memory_mode on_memory;
	uint64_t memory_max_bytes; /* resident, whole job; 0: the machine's and cgroup's */
	uint64_t metrics_ns;	   /* time between samples, 0: none */
	unsigned retry;		   /* automatic resumes after recoverable failures */
	uint64_t mtbf_ns;	   /* 0: own history */
	uint64_t hang_ns;	   /* 0: no watchdog */
	uint64_t quota_bytes;	   /* of all images, 0: none */
	unsigned keep_hourly, keep_daily;
	enum engine_files files;
	bool force_files;			   /* restart: changed inputs are no obstacle */
	const char *plugins[SETTINGS_PLUGINS_MAX]; /* as given, left to right */
	unsigned n_plugins;
	bool json;
	enum log_level terminal; /* -q, -v */
};

static inline struct store_policy settings_retention(const struct settings *s)
{
	return (struct store_policy){s->keep, s->keep_hourly, s->keep_daily, s->quota_bytes};
}

#endif
