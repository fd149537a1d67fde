/* One checkpoint from beginning to end: see checkpoint.h. */
#include "job/checkpoint.h"
#include "base/io.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

struct publishing { /* context of publish() */
	const struct checkpoint_request *request;
	struct checkpoint_result *result;
	struct store_pending *pending;
	uint64_t began_mono_ns, began_real_ns;
};

void checkpoint_result_done(struct checkpoint_result *r)
{
	free_p(&r->path);
}

static void pending_free_p(struct store_pending **p)
{
	store_pending_free(*p);
}

static void writer_free_p(struct image_writer **w)
{
	image_writer_free(*w);
}

/* The flags of the first CPU; later ones are the same on any machine a job
 * may be moved around on without notice. */
static char *cpu_features(void)
{
	cleanup_fd int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	char text[16384], *flags, *end;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (n <= 0)
		return strdup("");
	text[n] = 0;
	flags = strstr(text, "\nflags");
	flags = flags ? strchr(flags, ':') : NULL;
	if (!flags)
		return strdup("");
	flags += 1 + strspn(flags + 1, " ");
	end = strchrnul(flags, '\n');
	return strndup(flags, (size_t)(end - flags));
}

static char **copy_strings(char *const *list)
{
	size_t n = 0;
	char **copy;

	while (list[n])
		n++;
	copy = calloc(n + 1, sizeof *copy);
	for (size_t i = 0; copy && i < n; i++)
		copy[i] = strdup(list[i]);
	return copy;
}

static bool info_complete(const struct image_info *i, char *const *command)
{
	if (!i->command || !i->directory || !i->hostname || !i->user || !i->snapshot ||
		!i->compression || !i->reason || !i->kernel || !i->cpu_features || !i->engine)
		return false;
	for (size_t n = 0; command[n]; n++)
		if (!i->command[n])
			return false;
	return true;
}

static int fill_info(
	struct image_info *info, const struct publishing *p, const struct engine_dump_result *dump)
{
	const struct checkpoint_request *q = p->request;
	struct utsname names = {0};

	uname(&names);
	*info = (struct image_info){
		.number = store_pending_number(p->pending),
		.command = copy_strings(q->command),
		.directory = strdup(q->directory),
		.hostname = strdup(q->who->host),
		.user = strdup(q->who->user),
		.timestamp_ns = p->began_real_ns,
		.processes = dump->processes,
		.threads = dump->threads,
		.memory_bytes = dump->totals.memory_bytes,
		.stored_bytes = dump->totals.stored_bytes,
		.pause_ns = dump->pause_ns,
		.duration_ns = now_mono_ns() - p->began_mono_ns,
		.snapshot = strdup("stop"),
		.compression = strdup(q->settings->raw ? "none" : "zstd"),
		.reason = strdup(q->reason),
		.kernel = strdup(names.release),
		.cpu_features = cpu_features(),
		.engine = strdup("cragon " CRAGON_VERSION),
	};
	return info_complete(info, q->command) ? 0 : -ENOMEM;
}

/* Read back before it gets its name: what is published has been seen to be whole. */
static int verify(const struct publishing *p, struct err *e)
{
	char path[48];
	int r;

	snprintf(path, sizeof path, "/proc/self/fd/%d/.", store_pending_fd(p->pending));
	r = image_verify(path, e);
	return r < 0 ? err_in(e, "the image that was just written cannot be used") : 0;
}

static int publish(void *ctx, const struct engine_dump_result *dump, struct err *e)
{
	cleanup(image_info_done) struct image_info info = {0};
	struct publishing *p = ctx;
	int r = fill_info(&info, p, dump);

	if (r < 0)
		return err_sys(e, r, "cannot describe the image");
	r = image_info_write(store_pending_fd(p->pending), &info, e);
	if (r == 0)
		r = verify(p, e);
	if (r == 0)
		r = store_publish(p->pending, &p->result->path, e);
	return r < 0 ? r : 0;
}

int checkpoint_take(struct job *job, const struct checkpoint_request *q,
	struct checkpoint_result *ret, struct err *e)
{
	/* Released in reverse: the writer's files go before their directory. */
	cleanup(pending_free_p) struct store_pending *pending = NULL;
	cleanup(writer_free_p) struct image_writer *writer = NULL;
	cleanup(checkpoint_result_done) struct checkpoint_result result = {0};
	struct image_writer_options options = {
		.raw = q->settings->raw, .level = q->settings->zstd_level};
	struct publishing p = {q, &result, NULL, now_mono_ns(), now_real_ns()};
	struct engine_dump_result dump = {0};
	int r = store_begin(&pending, q->jobdir, q->who->user, q->who->host, e);

	if (r < 0)
		return r;
	p.pending = pending;
	r = image_writer_open(&writer, store_pending_fd(pending), &options, e);
	if (r == 0) {
		const struct engine_checkpoint how = {
			.writer = writer,
			.dirfd = store_pending_fd(pending),
			.after = q->after,
			.publish = publish,
			.ctx = &p,
			.files = q->settings->files,
			.jobdir = q->jobdir,
			.notes = q->notes,
		};

		r = engine_checkpoint(job, &how, &dump, e);
	}
	if (r < 0)
		return r;
	*ret = (struct checkpoint_result){
		.number = store_pending_number(pending),
		.path = steal_ptr(&result.path),
		.pause_ns = dump.pause_ns,
		.duration_ns = now_mono_ns() - p.began_mono_ns,
		.memory_bytes = dump.totals.memory_bytes,
		.stored_bytes = dump.totals.stored_bytes,
		.processes = dump.processes,
		.threads = dump.threads,
	};
	return 0;
}
