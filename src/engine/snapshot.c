/*
 * The snapshot: memory of the frozen job into the image writer (dump.h). This
 * is stop-and-copy: the job is held while its pages are read, and the writer's
 * workers compress and write meanwhile. Copy-on-write and incremental snapshots
 * can replace this file without touching the rest.
 *
 * Which pages: of anonymous memory those that exist (present or swapped) and
 * are not the shared zero page; of private file mappings those that are no
 * longer the file's. PAGEMAP_SCAN says so in ranges (kernel >= 6.7); before
 * that /proc/PID/pagemap says it page by page, bit 63 present, 62 swapped, 61
 * file or shared (Documentation/admin-guide/mm/pagemap.rst).
 */
#include "engine/dump.h"
#include "sys/calls.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#define RUNS_MAX 256 /* pages of one frame */
#define REGIONS 512

struct snapshot {
	struct image_writer *writer;
	uint8_t *buffer; /* being filled */
	size_t used;
	struct image_run runs[RUNS_MAX];
	size_t n_runs;
	/* the process being read */
	pid_t pid;
	int mem, pagemap;
	bool no_scan; /* PAGEMAP_SCAN is not there */
};

static int flush(struct snapshot *s)
{
	int r;

	if (!s->buffer)
		return 0;
	r = image_writer_submit(s->writer, s->buffer, s->runs, s->n_runs);
	s->buffer = NULL;
	s->used = s->n_runs = 0;
	return r;
}

/* Memory without read permission is out of process_vm_readv's reach, not of
 * /proc/PID/mem's. */
static int read_memory(struct snapshot *s, taddr from, uint8_t *to, size_t len)
{
	int r = s->pid ? tracee_read(s->pid, from, to, len) : -EFAULT;

	return r < 0 ? io_pread(s->mem, to, len, (off_t)from) : 0;
}

/* Whole pages that fit the frame: a file may have ended inside one, and what
 * follows it has to start at a page again. */
static uint64_t room_of(const struct snapshot *s)
{
	return (IMAGE_FRAME_BYTES - s->used) / CRAGON_PAGE_BYTES * CRAGON_PAGE_BYTES;
}

/* `from` is an address of the process or, with pid 0, an offset of s->mem. */
static int add_range(struct snapshot *s, uint32_t space, uint32_t flags, uint64_t address,
	taddr from, uint64_t bytes)
{
	while (bytes) {
		uint64_t part;
		int r;

		if (room_of(s) == 0 || s->n_runs == RUNS_MAX) {
			r = flush(s);
			if (r < 0)
				return r;
		}
		if (!s->buffer)
			s->buffer = image_writer_buffer(s->writer);
		if (!s->buffer)
			return -EIO; /* image_writer_finish() knows why */
		part = MIN(room_of(s), bytes);
		r = read_memory(s, from, s->buffer + s->used, part);
		if (r < 0)
			return r;
		s->runs[s->n_runs++] = (struct image_run){
			.space = space, .flags = flags, .address = address, .bytes = part};
		s->used += part;
		address += part;
		from += part;
		bytes -= part;
	}
	return 0;
}

struct page_range {
	uint64_t start, end;
};

/* Next ranges of wanted pages in [*at, end); advances *at. Count or -errno. */
static int scan_ranges(struct snapshot *s, uint64_t *at, uint64_t end, bool skip_file,
	struct page_range ranges[REGIONS])
{
	struct sys_page_region found[REGIONS];
	uint64_t absent = SYS_PAGE_IS_PFNZERO | (skip_file ? SYS_PAGE_IS_FILE : 0);
	struct sys_pm_scan_arg arg = {
		.size = sizeof arg,
		.start = *at,
		.end = end,
		.vec = (uint64_t)(uintptr_t)found,
		.vec_len = REGIONS,
		.category_anyof_mask = SYS_PAGE_IS_PRESENT | SYS_PAGE_IS_SWAPPED,
		.category_inverted = absent,
		.category_mask = absent,
	};
	int n = ioctl(s->pagemap, SYS_PAGEMAP_SCAN, &arg);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++)
		ranges[i] = (struct page_range){found[i].start, found[i].end};
	*at = arg.walk_end;
	return n;
}

static bool is_wanted(uint64_t entry, bool skip_file)
{
	if (!(entry & (3ull << 62)))
		return false;
	return !skip_file || !(entry & (1ull << 61));
}

static int read_ranges(struct snapshot *s, uint64_t *at, uint64_t end, bool skip_file,
	struct page_range ranges[REGIONS])
{
	uint64_t entries[REGIONS];
	uint64_t pages = MIN((end - *at) / CRAGON_PAGE_BYTES, (uint64_t)REGIONS);
	int r = io_pread(s->pagemap, entries, pages * sizeof *entries,
		(off_t)(*at / CRAGON_PAGE_BYTES * sizeof *entries));
	int n = 0;

	if (r < 0)
		return r;
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t page = *at + i * CRAGON_PAGE_BYTES;

		if (!is_wanted(entries[i], skip_file))
			continue;
		if (n && ranges[n - 1].end == page)
			ranges[n - 1].end += CRAGON_PAGE_BYTES;
		else
			ranges[n++] = (struct page_range){page, page + CRAGON_PAGE_BYTES};
	}
	*at += pages * CRAGON_PAGE_BYTES;
	return n;
}

static int next_ranges(struct snapshot *s, uint64_t *at, uint64_t end, bool skip_file,
	struct page_range ranges[REGIONS])
{
	int n = -ENOTTY;

	if (!s->no_scan)
		n = scan_ranges(s, at, end, skip_file, ranges);
	if (n == -ENOTTY || n == -EINVAL) {
		s->no_scan = true;
		n = read_ranges(s, at, end, skip_file, ranges);
	}
	return n;
}

static int take_vma(struct snapshot *s, const Cragon__Process *process, const Cragon__Vma *vma,
	bool whole)
{
	bool skip_file = vma->kind == CRAGON__VMA__KIND__FILE_PRIVATE;
	uint32_t flags = skip_file ? IMAGE_KEEP_ZERO : 0;
	uint64_t at = vma->start;

	if (whole)
		return add_range(s, process->mm->space, 0, vma->start, vma->start,
			vma->end - vma->start);
	while (at < vma->end) {
		struct page_range ranges[REGIONS];
		int n = next_ranges(s, &at, vma->end, skip_file, ranges);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			int r = add_range(s, process->mm->space, flags, ranges[i].start,
				ranges[i].start, ranges[i].end - ranges[i].start);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int open_process(struct snapshot *s, pid_t pid)
{
	char path[40];

	close_p(&s->mem);
	close_p(&s->pagemap);
	s->pid = pid;
	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	s->mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
	s->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	return s->mem < 0 || s->pagemap < 0 ? -errno : 0;
}

static int take_process(struct snapshot *s, const struct dump_process *p)
{
	const Cragon__Process *process = p->process;
	int r = open_process(s, p->frozen->pid);

	for (size_t i = 0; r == 0 && i < process->n_vma; i++)
		if (process->vma[i]->kind == CRAGON__VMA__KIND__ANONYMOUS ||
			process->vma[i]->kind == CRAGON__VMA__KIND__FILE_PRIVATE)
			r = take_vma(s, process, process->vma[i], p->whole[i]);
	return r;
}

/* Parts of one shared object that have been taken already, through whichever
 * mapping came first. */
struct taken {
	struct page_range *list;
	size_t n;
};

static int take_shared_range(struct snapshot *s, struct taken *taken, const Cragon__Shared *shared,
	const Cragon__Vma *vma)
{
	uint64_t at = vma->offset, end = vma->offset + (vma->end - vma->start);
	struct page_range *grown;

	while (at < end) {
		uint64_t stop = end;
		bool skip = false;
		int r;

		for (size_t i = 0; i < taken->n; i++) {
			if (taken->list[i].start <= at && at < taken->list[i].end) {
				at = MIN(taken->list[i].end, end);
				skip = true;
				break;
			}
			if (taken->list[i].start > at)
				stop = MIN(stop, taken->list[i].start);
		}
		if (skip)
			continue;
		r = add_range(s, shared->space, 0, at, vma->start + (at - vma->offset), stop - at);
		if (r < 0)
			return r;
		grown = realloc(taken->list, (taken->n + 1) * sizeof *grown);
		if (!grown)
			return -ENOMEM;
		taken->list = grown;
		taken->list[taken->n++] = (struct page_range){at, stop};
		at = stop;
	}
	return 0;
}

static int take_shared_mappings(struct snapshot *s, struct dump *d, uint32_t index)
{
	cleanup_free struct page_range *list = NULL;
	struct taken taken = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->frozen.n; i++) {
		const Cragon__Process *process = d->processes[i].process;
		bool opened = false;

		for (size_t k = 0; r == 0 && k < process->n_vma; k++) {
			const Cragon__Vma *vma = process->vma[k];

			if (vma->kind != CRAGON__VMA__KIND__SHARED || vma->shared != index)
				continue;
			if (!opened)
				r = open_process(s, d->processes[i].frozen->pid);
			opened = true;
			if (r == 0)
				r = take_shared_range(s, &taken, d->image.shared[index], vma);
			list = taken.list;
		}
	}
	return r;
}

/* A deleted file that is open: all of it, whether mapped or not. */
static int take_open_file(struct snapshot *s, struct dump *d, uint32_t index, int fd)
{
	Cragon__Shared *shared = d->image.shared[index];
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	shared->bytes = (uint64_t)st.st_size;
	shared->mode = st.st_mode & 07777;
	close_p(&s->mem);
	s->mem = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	s->pid = 0;
	r = s->mem < 0 ? -errno : add_range(s, shared->space, 0, 0, 0, shared->bytes);
	close_p(&s->mem);
	return r;
}

static int take_shared(struct snapshot *s, struct dump *d, struct err *e)
{
	size_t live = 0;

	for (size_t i = 0; i < d->frozen.n; i++)
		live += !d->frozen.processes[i].zombie;
	for (uint32_t i = 0; i < d->image.n_shared; i++) {
		cleanup_fd int fd = files_open_deleted(&d->image, d->files, live, i, e);
		int r;

		if (fd < 0 && fd != -ENOENT)
			return fd;
		r = fd >= 0 ? take_open_file(s, d, i, fd) : take_shared_mappings(s, d, i);
		if (r < 0)
			return err_sys(e, r, "cannot read %s", d->image.shared[i]->path);
	}
	return 0;
}

int snapshot_take(struct dump *d, struct image_writer *writer, struct err *e)
{
	struct snapshot s = {
		.writer = writer, .mem = -1, .pagemap = -1, .no_scan = sys_without("pagemap_scan")};
	int r = take_shared(&s, d, e);

	for (size_t i = 0; r == 0 && i < d->frozen.n; i++) {
		if (d->frozen.processes[i].zombie)
			continue;
		r = take_process(&s, &d->processes[i]);
		if (r < 0)
			r = err_sys(e, r, "cannot read the memory of process %d",
				d->processes[i].process->pid);
	}
	if (r == 0 && flush(&s) < 0)
		r = err_sys(e, -EIO, "cannot write the image");
	else if (s.buffer)
		image_writer_submit(writer, s.buffer, NULL, 0);
	close_p(&s.mem);
	close_p(&s.pagemap);
	return r;
}
