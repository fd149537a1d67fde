/*
 * job.json and the images: attempts, checkpoints, and what they add up to. The
 * file is read here by itself (not through job/journal), because the report has
 * to make the best of files that a restart would refuse.
 */
#include "report/model.h"
#include "report/scan.h"
#include "base/io.h"
#include "store/store.h"
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define JOB_JSON_MAX (64 * MIB)
#define ATTEMPTS_MAX 20000
#define IMAGES_MAX 200000

const char *json_text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

uint64_t json_count_of(const json_t *object, const char *key, uint64_t otherwise)
{
	const json_t *v = json_object_get(object, key);
	double real = json_number_value(v);

	if (json_is_integer(v))
		return json_integer_value(v) >= 0 ? (uint64_t)json_integer_value(v) : otherwise;
	return json_is_real(v) && real >= 0 && real < 1e18 ? (uint64_t)real : otherwise;
}

uint64_t json_time_of(const json_t *object, const char *key)
{
	const char *text = json_text_of(object, key);

	return scan_time(text, strlen(text));
}

static int slurp_regular(int dirfd, const char *name, struct buf *out, size_t max)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? io_slurp_fd(fd, out, max) : -EINVAL;
}

/* ---- attempts --------------------------------------------------------------------- */

static enum report_how how_of(const json_t *a)
{
	static const char *const names[] = {[REPORT_RUNNING] = "running",
		[REPORT_EXIT] = "exit",
		[REPORT_SIGNAL] = "signal",
		[REPORT_STOPPED] = "stopped",
		[REPORT_LOST] = "lost"};
	const char *text = json_text_of(a, "how");

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(text, names[i]))
			return (enum report_how)i;
	return json_is_string(json_object_get(a, "ended")) ? REPORT_LOST : REPORT_RUNNING;
}

/* An attempt without an end runs, unless this is its machine and its cragon is
 * not there. */
static bool gone(const json_t *a)
{
	cleanup_buf struct buf boot = {0};
	uint64_t pid = json_count_of(a, "pid", 0);
	struct proc_stat stat;

	if (slurp_regular(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot, 4096) < 0 || !pid ||
		pid > INT32_MAX)
		return false;
	boot.data[strcspn(boot.data, "\n")] = 0;
	if (strcmp(json_text_of(a, "boot_id"), boot.data) != 0)
		return false;
	return proc_stat((pid_t)pid, &stat) < 0 || stat.state == 'Z' ||
	       stat.start_time != json_count_of(a, "pid_start", 0);
}

static void fill_attempt(struct report_attempt *ret, const json_t *a, bool last)
{
	const json_t *diagnosis = json_object_get(a, "diagnosis"),
		     *code = json_object_get(a, "exit_code"),
		     *evidence = json_object_get(diagnosis, "evidence");

	*ret = (struct report_attempt){
		.started_ns = json_time_of(a, "started"),
		.ended_ns = json_time_of(a, "ended"),
		.how = how_of(a),
		.exit_code = json_is_integer(code) ? (int)json_integer_value(code) : -1,
		.signal = (int)MIN(json_count_of(a, "signal", 0), 127),
		.from_image = json_count_of(a, "from_image", 0),
		.lost_ns = json_count_of(a, "lost_ns", 0),
		.lost_known = json_is_number(json_object_get(a, "lost_ns")),
		.host = json_text_of(a, "host"),
		.cause = json_text_of(diagnosis, "cause"),
		.remedy = json_text_of(diagnosis, "remedy"),
		.next = json_text_of(a, "next"),
		.evidence = json_is_array(evidence) ? evidence : NULL,
		.recoverable = json_is_true(json_object_get(diagnosis, "recoverable")),
	};
	if (ret->how == REPORT_RUNNING && (!last || gone(a)))
		ret->how = REPORT_LOST;
}

int report_read_job(struct report *r, int dirfd, int *ret_found)
{
	cleanup_buf struct buf text = {0};
	const json_t *all;
	json_error_t where;
	int code = slurp_regular(dirfd, "job.json", &text, JOB_JSON_MAX);
	size_t n;

	if (code == 0) {
		++*ret_found;
		r->root = json_loadb(text.data, text.len, 0, &where);
		if (!json_is_object(r->root))
			report_notice(
				r, "job.json is damaged (line %d: %s)", where.line, where.text);
	} else {
		report_notice(r, "job.json cannot be read: %s", strerror(-code));
	}
	if (!json_is_object(r->root)) {
		json_decref(r->root);
		r->root = json_object();
	}
	all = json_object_get(r->root, "attempts");
	n = MIN(json_array_size(all), (size_t)ATTEMPTS_MAX);
	r->attempts = calloc(n + 1, sizeof *r->attempts);
	if (!r->attempts || !r->root)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (json_is_object(json_array_get(all, i)))
			fill_attempt(
				&r->attempts[r->n_attempts++], json_array_get(all, i), i + 1 == n);
	return 0;
}

size_t report_attempt_at(const struct report *r, uint64_t time_ns)
{
	size_t low = 0, high = r->n_attempts;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (r->attempts[middle].started_ns <= time_ns)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* ---- images ------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const struct report_image *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return y->on_disk - x->on_disk; /* what is on disk knows best */
}

static void put_reason(struct report_image *i, const char *reason)
{
	snprintf(i->reason, sizeof i->reason, "%s", reason ? reason : "");
}

static void add_noted(struct report *r, const json_t *c, size_t attempt)
{
	struct report_image *i = &r->images[r->n_images];

	*i = (struct report_image){.attempt = attempt};
	if (json_is_object(c)) {
		i->number = json_count_of(c, "number", 0);
		i->time_ns = json_time_of(c, "time");
		i->pause_ns = json_count_of(c, "pause_ns", 0);
		i->duration_ns = json_count_of(c, "duration_ns", 0);
		i->memory_bytes = json_count_of(c, "memory_bytes", 0);
		i->stored_bytes = json_count_of(c, "stored_bytes", 0);
		put_reason(i, json_text_of(c, "reason"));
	} else if (json_is_integer(c) && json_integer_value(c) > 0) {
		i->number = (uint64_t)json_integer_value(c);
	}
	r->n_images += i->number > 0;
}

static void add_stored(struct report *r, const struct store_entry *e)
{
	struct report_image *i = &r->images[r->n_images];

	if (e->number < json_count_of(r->root, "first_image", 1))
		return; /* of another job that used the directory before */
	*i = (struct report_image){.number = e->number,
		.time_ns = e->info.timestamp_ns,
		.pause_ns = e->info.pause_ns,
		.duration_ns = e->info.duration_ns,
		.memory_bytes = e->info.memory_bytes,
		.stored_bytes = e->info.stored_bytes,
		.on_disk = true,
		.attempt = report_attempt_at(r, e->info.timestamp_ns)};
	put_reason(i, e->info.reason);
	r->n_images++;
}

/* The journal's note and the image on disk are one. */
static void merge(struct report *r)
{
	size_t n = 0;

	if (r->n_images)
		qsort(r->images, r->n_images, sizeof *r->images, by_number);
	for (size_t i = 0; i < r->n_images; i++)
		if (!n || r->images[n - 1].number != r->images[i].number)
			r->images[n++] = r->images[i];
	r->n_images = n;
	for (size_t i = 0; i < n; i++)
		if (r->images[i].attempt < r->n_attempts)
			r->attempts[r->images[i].attempt].images++;
}

static const json_t *noted(const struct report *r, size_t attempt)
{
	return json_object_get(
		json_array_get(json_object_get(r->root, "attempts"), attempt), "checkpoints");
}

/* Points of the two charts about images. */
static int fill_grid(struct report *r)
{
	int code = grid_init(&r->image, 4);

	for (size_t k = 0; code == 0 && k < r->n_images; k++) {
		const struct report_image *i = &r->images[k];

		if (report_plausible(r, i->time_ns))
			grid_add(&r->image, i->time_ns, 0,
				(double[]){(double)i->memory_bytes, (double)i->stored_bytes,
					(double)i->pause_ns / 1e9, (double)i->duration_ns / 1e9});
	}
	return code;
}

int report_read_images(struct report *r, int dirfd, int *ret_found)
{
	struct store_entry *stored = NULL;
	size_t n_stored = 0, damaged = 0, room = 0, i;
	struct err e = {0};
	const json_t *c;

	if (store_list(r->directory, &stored, &n_stored, &damaged, &e) < 0 && e.code != -ENOENT)
		report_notice(r, "%s", e.text);
	if (damaged)
		report_notice(r, "images that are damaged: %zu", damaged);
	*ret_found += n_stored > 0;
	for (size_t a = 0; a < r->n_attempts; a++)
		room += json_array_size(noted(r, a));
	room = MIN(room, (size_t)IMAGES_MAX);
	r->images = calloc(room + n_stored + 1, sizeof *r->images);
	for (size_t k = 0; r->images && k < n_stored; k++)
		add_stored(r, &stored[k]);
	store_entries_free(stored, n_stored);
	if (!r->images)
		return -ENOMEM;
	for (size_t a = 0; a < r->n_attempts; a++)
		json_array_foreach(noted(r, a), i, c) if (room)
		{
			add_noted(r, c, a);
			room--;
		}
	merge(r);
	return fill_grid(r);
}
