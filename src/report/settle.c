/*
 * What the inputs add up to. Work is time in which the job ran. An attempt that
 * starts from an image begins with the work that was done when the image was
 * taken: that is what the image saved, since without it this attempt would have
 * had to do all of it again. What was done after the image is repeated.
 */
#include "report/model.h"

#define CLOCK_TOLERANCE_NS (86400 * NS_PER_SEC)

static uint64_t behind(uint64_t later, uint64_t earlier)
{
	return later > earlier && earlier ? later - earlier : 0;
}

uint64_t report_begin(const struct report *r)
{
	for (size_t i = 0; i < r->n_attempts; i++)
		if (r->attempts[i].started_ns)
			return r->attempts[i].started_ns;
	if (r->system.samples)
		return r->system.earliest_ns;
	if (r->process.samples)
		return r->process.earliest_ns;
	return r->n_images ? r->images[0].time_ns : 0;
}

uint64_t report_end(const struct report *r)
{
	uint64_t end = 0;

	for (size_t i = 0; i < r->n_attempts; i++)
		end = MAX(end, r->attempts[i].ended_ns);
	if (end)
		return end;
	end = MAX(r->system.latest_ns, r->process.latest_ns);
	for (size_t i = 0; i < r->n_images; i++)
		end = MAX(end, r->images[i].time_ns);
	return end;
}

bool report_plausible(const struct report *r, uint64_t time_ns)
{
	uint64_t begin = r->n_attempts ? r->attempts[0].started_ns : 0;

	if (!time_ns || time_ns > r->now_ns + CLOCK_TOLERANCE_NS)
		return false;
	return !begin || time_ns + CLOCK_TOLERANCE_NS > begin;
}

static const struct report_image *image_of(const struct report *r, uint64_t number)
{
	size_t low = 0, high = r->n_images;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->images[middle].number == number)
			return &r->images[middle];
		if (r->images[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Nobody wrote down when a lost attempt ended: the last sign of life, at most the
 * start of the next. */
static void estimate_end(struct report *r, size_t i)
{
	struct report_attempt *a = &r->attempts[i];
	uint64_t next = i + 1 < r->n_attempts ? r->attempts[i + 1].started_ns : 0;

	if (a->how == REPORT_RUNNING) {
		a->ended_ns = r->now_ns;
		return;
	}
	if (a->ended_ns)
		return;
	a->ended_ns = MAX(a->started_ns, a->last_sample_ns);
	for (size_t k = 0; k < r->n_images; k++)
		if (r->images[k].attempt == i && report_plausible(r, r->images[k].time_ns))
			a->ended_ns = MAX(a->ended_ns, r->images[k].time_ns);
	if (next)
		a->ended_ns = MIN(a->ended_ns, next);
	a->end_estimated = true;
}

/* Work done by attempt `a` from its start to a time in it. */
static uint64_t work_at(const struct report_attempt *a, uint64_t time_ns)
{
	return a->progress_ns + behind(MIN(time_ns, a->ended_ns), a->started_ns);
}

static void settle_progress(struct report *r, size_t i)
{
	const struct report_image *image = image_of(r, r->attempts[i].from_image);
	struct report_attempt *before = i ? &r->attempts[i - 1] : NULL;
	uint64_t at_end;

	if (r->attempts[i].from_image && image && image->time_ns && image->attempt < i)
		r->attempts[i].progress_ns = work_at(&r->attempts[image->attempt], image->time_ns);
	if (!before)
		return;
	at_end = work_at(before, before->ended_ns);
	if (before->lost_known)
		return;
	if (r->attempts[i].from_image && !r->attempts[i].progress_ns)
		return; /* an image of which nothing is known any more */
	before->lost_ns = behind(at_end + 1, r->attempts[i].progress_ns + 1);
	before->lost_known = true;
}

void report_settle(struct report *r)
{
	for (size_t i = 0; i < r->n_attempts; i++) {
		if (i && !r->attempts[i].started_ns)
			r->attempts[i].started_ns = r->attempts[i - 1].ended_ns;
		estimate_end(r, i);
		settle_progress(r, i);
		r->attempts[i].lost_ns = MIN(
			r->attempts[i].lost_ns, work_at(&r->attempts[i], r->attempts[i].ended_ns));
	}
}

void report_sum(const struct report *r, struct report_totals *ret)
{
	*ret = (struct report_totals){.wall_ns = behind(report_end(r), report_begin(r))};
	for (size_t i = 0; i < r->n_attempts; i++) {
		const struct report_attempt *a = &r->attempts[i];

		ret->running_ns += behind(a->ended_ns, a->started_ns);
		ret->saved_ns += a->progress_ns;
		ret->resumes += a->from_image > 0;
		if (i + 1 < r->n_attempts)
			ret->repeated_ns += a->lost_ns;
	}
	for (size_t i = 0; i < r->n_images; i++) {
		ret->pauses_ns += r->images[i].pause_ns;
		ret->disk_images += r->images[i].on_disk;
		ret->disk_bytes += r->images[i].on_disk ? r->images[i].stored_bytes : 0;
	}
}
