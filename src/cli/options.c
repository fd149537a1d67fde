/*
 * One row per option, and which command takes which. A row's set() stores the
 * value in the invocation and nothing else; the parser (parse.c) adds to its
 * message where the value came from.
 */
#include "cli/options.h"
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#define KEEP_DEFAULT 2
#define RETRY_DEFAULT 3
#define METRICS_MIN_NS (100 * NS_PER_MSEC)
#define ZSTD_LEVEL_MAX 22 /* ZSTD_maxCLevel() of every version in use */

void settings_default(struct settings *s)
{
	*s = (struct settings){
		.interval_mode = INTERVAL_AUTO,
		.keep = KEEP_DEFAULT,
		.stop_code = EXIT_STOPPED,
		.signal_checkpoint = SIGUSR1,
		.namespaces = NAMESPACES_AUTO,
		.metrics_ns = NS_PER_SEC,
		.retry = RETRY_DEFAULT,
		.terminal = LOG_WARN,
	};
}

static int wrong(struct err *e, const char *value, const char *what)
{
	return err_set(e, -EINVAL, WHY_USAGE, "'%s' is not %s", value, what);
}

static int set_duration(const char *value, uint64_t *ret_ns, const char *what, struct err *e)
{
	uint64_t ns = 0;
	int r = duration_parse(value, &ns);

	if (r == -ERANGE)
		return err_set(e, -EINVAL, WHY_USAGE, "'%s' is too long a time", value);
	if (r < 0)
		return wrong(e, value, what);
	*ret_ns = ns;
	return 0;
}

static int set_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret, struct err *e)
{
	if (number_parse(value, min, max, ret) < 0)
		return err_set(e, -EINVAL, WHY_USAGE,
			"'%s' is not a number from %" PRIu64 " to %" PRIu64, value, min, max);
	return 0;
}

static int set_directory(struct invocation *inv, const char *value, struct err *e)
{
	if (!*value)
		return err_set(e, -EINVAL, WHY_USAGE, "the directory's name is empty");
	inv->settings.directory = value;
	return 0;
}

static int set_interval(struct invocation *inv, const char *value, struct err *e)
{
	uint64_t ns = 0;
	int r;

	if (!strcmp(value, "auto") || !strcmp(value, "off")) {
		inv->settings.interval_mode = *value == 'a' ? INTERVAL_AUTO : INTERVAL_OFF;
		return 0;
	}
	r = set_duration(value, &ns, "an interval: write auto, off, " DURATION_FORMS, e);
	if (r < 0)
		return r;
	if (!ns)
		return err_set(e, -EINVAL, WHY_USAGE,
			"an interval of 0 is not possible: write off for no periodic checkpoints");
	inv->settings.interval_mode = INTERVAL_FIXED;
	inv->settings.interval_ns = ns;
	return 0;
}

static int set_max_time(struct invocation *inv, const char *value, struct err *e)
{
	uint64_t ns = 0;
	int r = set_duration(value, &ns, "a time limit: write " DURATION_FORMS, e);

	if (r < 0)
		return r;
	if (!ns)
		return err_set(e, -EINVAL, WHY_USAGE,
			"a time limit of 0 leaves no time to run: leave the option out for no "
			"limit");
	inv->settings.max_time_ns = ns;
	return 0;
}

static int set_keep(struct invocation *inv, const char *value, struct err *e)
{
	uint64_t n = 0;
	int r = set_number(value, 1, 1000000, &n, e);

	if (r == 0)
		inv->settings.keep = (unsigned)n;
	return r;
}

static int set_unsigned(const char *value, unsigned *ret, struct err *e)
{
	uint64_t n = 0;
	int r = set_number(value, 0, 1000000, &n, e);

	if (r == 0)
		*ret = (unsigned)n;
	return r;
}

static int set_keep_hourly(struct invocation *inv, const char *value, struct err *e)
{
	return set_unsigned(value, &inv->settings.keep_hourly, e);
}

static int set_keep_daily(struct invocation *inv, const char *value, struct err *e)
{
	return set_unsigned(value, &inv->settings.keep_daily, e);
}

static int set_retry(struct invocation *inv, const char *value, struct err *e)
{
	return set_unsigned(value, &inv->settings.retry, e);
}

static int set_size(const char *value, uint64_t *ret, const char *what, struct err *e)
{
	uint64_t bytes = 0;

	if (size_parse(value, &bytes) < 0 || !bytes)
		return wrong(e, value, what);
	*ret = bytes;
	return 0;
}

static int set_quota(struct invocation *inv, const char *value, struct err *e)
{
	return set_size(
		value, &inv->settings.quota_bytes, "a size for all images: write " SIZE_FORMS, e);
}

static int set_memory_max(struct invocation *inv, const char *value, struct err *e)
{
	return set_size(value, &inv->settings.memory_max_bytes,
		"a size of resident memory: write " SIZE_FORMS, e);
}

static int set_on_memory(struct invocation *inv, const char *value, struct err *e)
{
	if (strcmp(value, "hold") != 0 && strcmp(value, "fail") != 0)
		return wrong(e, value, "what a failed allocation does: write hold or fail");
	inv->settings.on_memory = *value == 'h' ? MEMORY_HOLD : MEMORY_FAIL;
	return 0;
}

static int set_no_intercept(struct invocation *inv, const char *value, struct err *e)
{
	inv->settings.no_intercept = true;
	return 0;
}

/* A duration, or "off" for none. */
static int set_duration_or_off(const char *value, uint64_t *ret_ns, const char *what, struct err *e)
{
	int r;

	if (!strcmp(value, "off")) {
		*ret_ns = 0;
		return 0;
	}
	r = set_duration(value, ret_ns, what, e);
	return r == 0 && !*ret_ns ? wrong(e, value, what) : r;
}

static int set_metrics(struct invocation *inv, const char *value, struct err *e)
{
	int r = set_duration_or_off(value, &inv->settings.metrics_ns,
		"a time between samples: write off, " DURATION_FORMS, e);

	if (r == 0 && inv->settings.metrics_ns && inv->settings.metrics_ns < METRICS_MIN_NS)
		return err_set(e, -EINVAL, WHY_USAGE,
			"samples cannot be taken more often than every 0.1 seconds");
	return r;
}

static int set_mtbf(struct invocation *inv, const char *value, struct err *e)
{
	return set_duration_or_off(value, &inv->settings.mtbf_ns,
		"a mean time between failures: write off, " DURATION_FORMS, e);
}

static int set_hang(struct invocation *inv, const char *value, struct err *e)
{
	return set_duration_or_off(value, &inv->settings.hang_ns,
		"a time without progress: write off, " DURATION_FORMS, e);
}

static int set_files(struct invocation *inv, const char *value, struct err *e)
{
	static const char *const names[] = {
		[FILES_KEEP] = "keep", [FILES_COPY] = "copy", [FILES_NONE] = "none"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(value, names[i])) {
			inv->settings.files = (enum engine_files)i;
			return 0;
		}
	return wrong(e, value, "what to do about files: write keep, copy or none");
}

static int set_force_files(struct invocation *inv, const char *value, struct err *e)
{
	inv->settings.force_files = true;
	return 0;
}

static int set_plugin(struct invocation *inv, const char *value, struct err *e)
{
	struct settings *s = &inv->settings;

	if (s->n_plugins == SETTINGS_PLUGINS_MAX)
		return err_set(e, -EINVAL, WHY_USAGE, "more than %d plugins", SETTINGS_PLUGINS_MAX);
	if (access(value, X_OK) < 0)
		return err_set(e, -EINVAL, WHY_USAGE, "plugin %s cannot be executed: %s", value,
			strerror(errno));
	s->plugins[s->n_plugins++] = value;
	return 0;
}

static int set_compress(struct invocation *inv, const char *value, struct err *e)
{
	uint64_t level = 0;

	if (!strcmp(value, "none")) {
		inv->settings.raw = true;
		return 0;
	}
	if (strncmp(value, "zstd", 4) != 0 || (value[4] && value[4] != ':'))
		return wrong(e, value, "a compression: write zstd, zstd:N or none");
	if (value[4] && number_parse(value + 5, 1, ZSTD_LEVEL_MAX, &level) < 0)
		return wrong(e, value, "a compression: zstd levels go from zstd:1 to zstd:22");
	inv->settings.raw = false;
	inv->settings.zstd_level = (int)level;
	return 0;
}

static int set_stop_code(struct invocation *inv, const char *value, struct err *e)
{
	uint64_t n = 0;
	int r = set_number(value, 0, 255, &n, e);

	if (r == 0)
		inv->settings.stop_code = (int)n;
	return r;
}

/*
 * Signals that mean nothing else to cragon: not the ones that end it or that it
 * hands to the job (HUP, INT, TERM, QUIT, TSTP...), nor those of faults.
 */
static int set_signal(struct invocation *inv, const char *value, struct err *e)
{
	static const struct {
		const char *name;
		int number;
	} table[] = {{"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"ALRM", SIGALRM}, {"VTALRM", SIGVTALRM},
		{"PROF", SIGPROF}, {"IO", SIGIO}, {"PWR", SIGPWR}, {"URG", SIGURG},
		{"XCPU", SIGXCPU}};
	const char *name = strncmp(value, "SIG", 3) ? value : value + 3;
	uint64_t number = 0;
	bool numeric = number_parse(value, 1, (uint64_t)SIGRTMAX, &number) == 0;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (numeric ? (int)number == table[i].number : !strcmp(name, table[i].name)) {
			inv->settings.signal_checkpoint = table[i].number;
			return 0;
		}
	if (numeric && (int)number >= SIGRTMIN) {
		inv->settings.signal_checkpoint = (int)number;
		return 0;
	}
	return wrong(e, value,
		"a signal that can be used for this: write USR1, USR2, ALRM, VTALRM, PROF, IO, "
		"PWR, "
		"URG, XCPU or the number of a real-time signal");
}

static int set_resume(struct invocation *inv, const char *value, struct err *e)
{
	inv->settings.resume = true;
	return 0;
}

static int set_no_namespace(struct invocation *inv, const char *value, struct err *e)
{
	inv->settings.namespaces = NAMESPACES_NONE;
	return 0;
}

static int set_wait_all(struct invocation *inv, const char *value, struct err *e)
{
	inv->settings.wait_all = true;
	return 0;
}

static int set_quiet(struct invocation *inv, const char *value, struct err *e)
{
	inv->settings.terminal = LOG_ERROR;
	return 0;
}

static int set_verbose(struct invocation *inv, const char *value, struct err *e)
{
	inv->settings.terminal = inv->settings.terminal < LOG_INFO ? LOG_INFO : LOG_DEBUG;
	return 0;
}

static int set_json(struct invocation *inv, const char *value, struct err *e)
{
	inv->settings.json = true;
	return 0;
}

static int set_all(struct invocation *inv, const char *value, struct err *e)
{
	inv->all = true;
	return 0;
}

static int set_stop(struct invocation *inv, const char *value, struct err *e)
{
	inv->stop = true;
	return 0;
}

static int set_dry_run(struct invocation *inv, const char *value, struct err *e)
{
	inv->dry_run = true;
	return 0;
}

static int set_output(struct invocation *inv, const char *value, struct err *e)
{
	if (!*value)
		return err_set(e, -EINVAL, WHY_USAGE, "the file's name is empty");
	inv->output = value;
	return 0;
}

static int set_help(struct invocation *inv, const char *value, struct err *e)
{
	inv->help = true;
	return 0;
}

static int set_man(struct invocation *inv, const char *value, struct err *e)
{
	inv->man = true;
	return 0;
}

static int set_kinds(struct invocation *inv, const char *value, struct err *e)
{
	inv->kinds = true;
	return 0;
}

static int set_completion(struct invocation *inv, const char *value, struct err *e)
{
	if (strcmp(value, "bash") != 0)
		return wrong(e, value, "a shell with completions: write bash");
	inv->completion = value;
	return 0;
}

static const struct option_row
	row_directory = {.letter = 'w',
		.name = "working-directory",
		.value = "DIR",
		.env = true,
		.help = "job directory: log, job.json and images; created if missing",
		.fallback = "./cragon_PROGRAM_DATE",
		.set = set_directory},
	row_job = {.letter = 'w',
		.name = "working-directory",
		.value = "DIR",
		.env = true,
		.help = "job directory to resume; left out, the newest under the current one",
		.set = set_directory},
	row_interval = {.letter = 'i',
		.name = "interval",
		.value = "D|auto|off",
		.env = true,
		.setting = SETTING_INTERVAL,
		.help = "time between checkpoints",
		.fallback = "auto",
		.set = set_interval},
	row_max_time = {.letter = 'm',
		.name = "max-time",
		.value = "D",
		.env = true,
		.setting = SETTING_MAX_TIME,
		.help = "time limit of this run, counted from its start; before it is over, a last "
			"checkpoint is taken and the run stops",
		.fallback = "none",
		.set = set_max_time},
	row_keep = {.letter = 'k',
		.name = "keep",
		.value = "N",
		.env = true,
		.setting = SETTING_KEEP,
		.help = "how many of the newest valid images are kept",
		.fallback = "2",
		.set = set_keep},
	row_keep_hourly = {.name = "keep-hourly",
		.value = "N",
		.env = true,
		.setting = SETTING_KEEP_HOURLY,
		.help = "beyond those, the newest image of each of the last N hours that have one",
		.fallback = "0",
		.set = set_keep_hourly},
	row_keep_daily = {.name = "keep-daily",
		.value = "N",
		.env = true,
		.setting = SETTING_KEEP_DAILY,
		.help = "beyond those, the newest image of each of the last N days that have one",
		.fallback = "0",
		.set = set_keep_daily},
	row_quota = {.name = "quota",
		.value = "SIZE",
		.env = true,
		.setting = SETTING_QUOTA,
		.help = "most space all images of the job may take",
		.fallback = "none",
		.set = set_quota},
	row_retry = {.name = "retry",
		.value = "N",
		.env = true,
		.setting = SETTING_RETRY,
		.help = "automatic resumes after failures that another try can get past",
		.fallback = "3",
		.set = set_retry},
	row_no_intercept = {.name = "no-intercept",
		.env = true,
		.help = "do not preload the object that sees failed allocations and crashes",
		.set = set_no_intercept},
	row_on_memory = {.name = "on-memory",
		.value = "hold|fail",
		.env = true,
		.setting = SETTING_ON_MEMORY,
		.help = "what a failed allocation does: wait for a checkpoint and more memory, or "
			"fail as without Cragon",
		.fallback = "hold",
		.set = set_on_memory},
	row_memory_max = {.name = "memory-max",
		.value = "SIZE",
		.env = true,
		.setting = SETTING_MEMORY_MAX,
		.help = "checkpoint and stop before the job's resident memory passes SIZE",
		.fallback = "the limit of the cgroup or the machine",
		.set = set_memory_max},
	row_metrics = {.name = "metrics",
		.value = "D|off",
		.env = true,
		.setting = SETTING_METRICS,
		.help = "time between samples of the job's and the machine's metrics",
		.fallback = "1s",
		.set = set_metrics},
	row_mtbf = {.name = "mtbf",
		.value = "D",
		.env = true,
		.setting = SETTING_MTBF,
		.help = "mean time between failures that -i auto reckons with",
		.fallback = "from the job's own history",
		.set = set_mtbf},
	row_hang = {.name = "hang",
		.value = "D|off",
		.env = true,
		.setting = SETTING_HANG,
		.help = "end a job that used no CPU and did no I/O for D, and resume it once from "
			"an older image",
		.fallback = "off",
		.set = set_hang},
	row_files = {.name = "files",
		.value = "keep|copy|none",
		.env = true,
		.setting = SETTING_FILES,
		.help = "what a checkpoint does about the content of files the job writes",
		.fallback = "keep",
		.set = set_files},
	row_force_files = {.name = "force-files",
		.env = true,
		.help = "resume although files the job only reads have changed",
		.set = set_force_files},
	row_plugin = {.letter = 'l',
		.name = "plugin",
		.value = "FILE",
		.env = true,
		.setting = SETTING_PLUGIN,
		.help = "executable called at each event, may be repeated; the rightmost comes "
			"first",
		.set = set_plugin},
	row_compress = {.name = "compress",
		.value = "zstd[:N]|none",
		.env = true,
		.setting = SETTING_COMPRESS,
		.help = "compression of memory pages, N from 1 (fast) to 22 (small); without N "
			"the level adapts",
		.fallback = "zstd",
		.set = set_compress},
	row_resume = {.name = "resume",
		.env = true,
		.help = "if the job directory holds a valid image of the same command, continue "
			"that one; else start",
		.set = set_resume},
	row_stop_code = {.name = "stop-code",
		.value = "N",
		.env = true,
		.setting = SETTING_STOP_CODE,
		.help = "exit code when stopped with an image to resume from",
		.fallback = "75",
		.set = set_stop_code},
	row_signal = {.name = "signal-checkpoint",
		.value = "SIG",
		.env = true,
		.setting = SETTING_SIGNAL,
		.help = "signal to cragon that takes a checkpoint",
		.fallback = "USR1",
		.set = set_signal},
	row_no_namespace = {.name = "no-namespace",
		.env = true,
		.setting = SETTING_NAMESPACES,
		.help = "use no user and PID namespace of the job's own",
		.set = set_no_namespace},
	row_wait_all = {.name = "wait-all",
		.env = true,
		.setting = SETTING_WAIT_ALL,
		.help = "wait for all processes that COMMAND leaves behind instead of ending them",
		.set = set_wait_all},
	row_quiet = {.letter = 'q',
		.name = "quiet",
		.env = true,
		.help = "print errors only",
		.set = set_quiet},
	row_verbose = {.letter = 'v',
		.name = "verbose",
		.env = true,
		.help = "print what cragon does; twice: in every detail",
		.set = set_verbose},
	row_all_areas = {.letter = 'v',
		.name = "verbose",
		.env = true,
		.help = "list every memory area, not only sums",
		.set = set_verbose},
	row_quiet_verify = {.letter = 'q',
		.name = "quiet",
		.env = true,
		.help = "print only images that are damaged",
		.set = set_quiet},
	row_json_run = {.name = "json",
		.env = true,
		.help = "print how the run ended as JSON on standard error",
		.set = set_json},
	row_json = {.name = "json",
		.env = true,
		.help = "print the answer as JSON",
		.set = set_json},
	row_all = {.name = "all", .help = "every attempt, not only the last one", .set = set_all},
	row_dry_run = {.letter = 'n',
		.name = "dry-run",
		.help = "tell what would be deleted, and delete nothing",
		.set = set_dry_run},
	row_stop = {.name = "stop", .help = "end the job after the checkpoint", .set = set_stop},
	row_output = {.letter = 'o',
		.name = "output",
		.value = "FILE",
		.help = "where the page goes; - is standard output",
		.fallback = "report.html in the job directory",
		.set = set_output},
	row_help = {.letter = 'h', .name = "help", .help = "print this help", .set = set_help},
	row_man = {.name = "man", .set = set_man}, row_kinds = {.name = "kinds", .set = set_kinds},
	row_completion = {.name = "completion", .value = "SHELL", .set = set_completion};

const struct option_row *const run_options[] = {&row_directory, &row_interval, &row_max_time,
	&row_keep, &row_keep_hourly, &row_keep_daily, &row_quota, &row_compress, &row_resume,
	&row_retry, &row_on_memory, &row_memory_max, &row_no_intercept, &row_files, &row_metrics,
	&row_mtbf, &row_hang, &row_plugin, &row_stop_code, &row_signal, &row_no_namespace,
	&row_wait_all, &row_json_run, &row_quiet, &row_verbose, &row_help, NULL};
const struct option_row *const restart_options[] = {&row_job, &row_interval, &row_max_time,
	&row_keep, &row_keep_hourly, &row_keep_daily, &row_quota, &row_compress, &row_retry,
	&row_on_memory, &row_memory_max, &row_files, &row_force_files, &row_metrics, &row_mtbf,
	&row_hang, &row_plugin, &row_stop_code, &row_signal, &row_no_namespace, &row_wait_all,
	&row_json_run, &row_quiet, &row_verbose, &row_help, NULL};
const struct option_row *const checkpoint_options[] = {
	&row_stop, &row_quiet, &row_verbose, &row_help, NULL};
const struct option_row *const check_options[] = {
	&row_no_namespace, &row_json, &row_verbose, &row_help, NULL};
const struct option_row *const listing_options[] = {&row_json, &row_help, NULL};
const struct option_row *const diagnose_options[] = {&row_all, &row_json, &row_help, NULL};
const struct option_row *const inspect_options[] = {&row_json, &row_all_areas, &row_help, NULL};
const struct option_row *const verify_options[] = {&row_json, &row_quiet_verify, &row_help, NULL};
const struct option_row *const report_options[] = {&row_output, &row_help, NULL};
const struct option_row *const help_options[] = {
	&row_man, &row_kinds, &row_completion, &row_help, NULL};
const struct option_row *const plain_options[] = {&row_help, NULL};
const struct option_row *const prune_options[] = {&row_keep, &row_keep_hourly, &row_keep_daily,
	&row_quota, &row_dry_run, &row_json, &row_help, NULL};
