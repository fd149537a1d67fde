/*
 * What a restore refuses before it builds anything: an image is input from
 * outside, and its metadata may say what it likes.
 */
#include "util.h"

#include "engine/restore.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/utsname.h>

#define TEXT(s) ((char *)(s))

/* A sound image: one process with a thread, two areas, a file, shared memory. */
struct world {
	Cragon__Image meta;
	Cragon__Machine machine;
	Cragon__Clock clock;
	Cragon__Tree tree;
	Cragon__Process process[2], *processes[2];
	Cragon__Mm mm[2];
	Cragon__ProcessFlags flags;
	Cragon__Credentials credentials;
	uint32_t ids[4];
	Cragon__Thread thread, *threads[2];
	uint8_t registers[sizeof(struct user_regs_struct)], xstate[1024];
	Cragon__Vma vma[2], *vmas[2];
	Cragon__Descriptor fd, *fds[1];
	Cragon__Object object, *objects[1];
	Cragon__File file;
	Cragon__FileIdentity identity;
	Cragon__Shared shared, *shareds[1];
	ProtobufCBinaryData pending;
	Cragon__SignalAction *actions[65];
	struct utsname uts;
};

static void identify(Cragon__FileIdentity *id, const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	cragon__file_identity__init(id);
	id->size = (uint64_t)st.st_size;
	id->mtime_ns = (uint64_t)st.st_mtim.tv_sec * NS_PER_SEC + (uint64_t)st.st_mtim.tv_nsec;
}

static void make_process(struct world *w, int i)
{
	Cragon__Process *p = &w->process[i];

	cragon__process__init(p);
	cragon__mm__init(&w->mm[i]);
	w->processes[i] = p;
	w->mm[i].space = (uint32_t)(1 + i);
	p->pid = 2 + i;
	p->parent = 1;
	p->comm = TEXT("test");
	p->exe = TEXT("/bin/sh");
	p->exe_identity = &w->identity;
	p->mm = &w->mm[i];
	p->flags = &w->flags;
	p->credentials = &w->credentials;
	p->thread = w->threads;
	p->n_thread = 1;
}

static void world_make(struct world *w)
{
	*w = (struct world){0};
	cragon__image__init(&w->meta);
	cragon__machine__init(&w->machine);
	cragon__clock__init(&w->clock);
	cragon__tree__init(&w->tree);
	cragon__process_flags__init(&w->flags);
	cragon__credentials__init(&w->credentials);
	cragon__thread__init(&w->thread);
	cragon__descriptor__init(&w->fd);
	cragon__object__init(&w->object);
	cragon__file__init(&w->file);
	cragon__shared__init(&w->shared);
	identify(&w->identity, "/bin/sh");
	uname(&w->uts);
	w->machine.page_bytes = 4096;
	w->machine.architecture = w->uts.machine;
	w->credentials.uid = w->credentials.gid = w->ids;
	w->credentials.n_uid = w->credentials.n_gid = 4;
	w->threads[0] = w->threads[1] = &w->thread;
	w->thread.tid = 2;
	w->thread.registers = (ProtobufCBinaryData){sizeof w->registers, w->registers};
	w->thread.xstate = (ProtobufCBinaryData){sizeof w->xstate, w->xstate};
	for (int i = 0; i < 2; i++) {
		cragon__vma__init(&w->vma[i]);
		w->vmas[i] = &w->vma[i];
		w->vma[i].start = 0x10000u * (unsigned)(i + 1);
		w->vma[i].end = w->vma[i].start + 0x8000;
	}
	w->vma[1].kind = CRAGON__VMA__KIND__SHARED;
	make_process(w, 0);
	w->process[0].vma = w->vmas;
	w->process[0].n_vma = 2;
	w->fds[0] = &w->fd;
	w->process[0].fd = w->fds;
	w->process[0].n_fd = 1;
	w->objects[0] = &w->object;
	w->object.kind = TEXT("file");
	w->object.path = TEXT("/bin/sh");
	w->object.detail_case = CRAGON__OBJECT__DETAIL_FILE;
	w->object.file = &w->file;
	w->file.identity = &w->identity;
	w->shareds[0] = &w->shared;
	w->meta.machine = &w->machine;
	w->meta.clock = &w->clock;
	w->meta.tree = &w->tree;
	w->tree.reaper_pid = 1;
	w->meta.process = w->processes;
	w->meta.n_process = 1;
	w->meta.object = w->objects;
	w->meta.n_object = 1;
	w->meta.shared = w->shareds;
	w->meta.n_shared = 1;
}

static void add_zombie(struct world *w)
{
	make_process(w, 1);
	w->process[1].state = CRAGON__PROCESS__STATE__ZOMBIE;
	w->process[1].mm = NULL;
	w->process[1].flags = NULL;
	w->process[1].n_thread = 0;
	w->meta.n_process = 2;
}

static int check(struct world *w, struct err *e)
{
	struct restore r = {.meta = &w->meta};

	return restore_check(&r, e);
}

static void a_sound_image_passes(void **state)
{
	struct err e = {0};
	struct world w;

	world_make(&w);
	assert_ok(check(&w, &e));
}

#define DAMAGES(D)                                                                                \
	D(no_machine, w->meta.machine = NULL)                                                     \
	D(no_clock, w->meta.clock = NULL)                                                         \
	D(missing_command, w->tree.root_pid = 77)                                                 \
	D(no_tree, w->meta.tree = NULL)                                                           \
	D(no_process, w->meta.n_process = 0)                                                      \
	D(monotonic_overflow, w->clock.monotonic_ns = 1ull << 63)                                 \
	D(boottime_overflow, w->clock.boottime_ns = UINT64_MAX)                                   \
	D(no_reaper, w->tree.reaper_pid = 0)                                                      \
	D(is_the_reaper, w->tree.reaper_pid = 2)                                                  \
	D(own_parent, w->process[0].parent = 2)                                                   \
	D(parent_unknown, w->process[0].parent = 77)                                              \
	D(no_parent, w->process[0].parent = 0)                                                    \
	D(circle_of_parents, (add_zombie(w), w->process[0].parent = 3, w->process[1].parent = 2)) \
	D(parent_later, (add_zombie(w), w->process[0].parent = 3))                                \
	D(same_process_twice, (add_zombie(w), w->process[1].pid = 2))                             \
	D(same_thread_twice, w->process[0].n_thread = 2)                                          \
	D(id_beyond_all, (add_zombie(w), w->process[1].pid = 1 << 22))                            \
	D(zombie_stopped, (add_zombie(w), w->process[1].exit_status = 0x137f))                    \
	D(zombie_of_no_signal, (add_zombie(w), w->process[1].exit_status = 0x7e))                 \
	D(exit_signal_shares_memory, w->process[0].exit_signal = 0x100)                           \
	D(exit_signal_negative, w->process[0].exit_signal = -1)                                   \
	D(negative_group, w->process[0].pgid = INT32_MIN)                                         \
	D(negative_session, w->process[0].sid = -1)                                               \
	D(unknown_state, w->process[0].state = (Cragon__Process__State)7)                         \
	D(short_pending, (w->process[0].pending = &w->pending, w->process[0].n_pending = 1))      \
	D(short_thread_pending, (w->thread.pending = &w->pending, w->thread.n_pending = 1))       \
	D(too_many_actions, (w->process[0].action = w->actions, w->process[0].n_action = 65))     \
	D(private_mapping_of_nothing, w->vma[0].kind = CRAGON__VMA__KIND__FILE_PRIVATE)           \
	D(no_pid, w->process[0].pid = 0)                                                          \
	D(negative_pid, w->process[0].pid = -7)                                                   \
	D(no_memory, w->process[0].mm = NULL)                                                     \
	D(no_flags, w->process[0].flags = NULL)                                                   \
	D(no_credentials, w->process[0].credentials = NULL)                                       \
	D(three_user_ids, w->credentials.n_uid = 3)                                               \
	D(five_group_ids, w->credentials.n_gid = 5)                                               \
	D(no_thread, w->process[0].n_thread = 0)                                                  \
	D(wrong_main_thread, w->thread.tid = 3)                                                   \
	D(short_registers, w->thread.registers.len = 8)                                           \
	D(long_registers, w->thread.registers.len++)                                              \
	D(no_vector_state, w->thread.xstate.len = 0)                                              \
	D(wrong_space, w->mm[0].space = 0)                                                        \
	D(space_out_of_order, w->shared.space = 1)                                                \
	D(missing_object, w->fd.object = 1)                                                       \
	D(negative_descriptor, w->fd.number = -1)                                                 \
	D(huge_descriptor, w->fd.number = INT32_MAX)                                              \
	D(missing_shared, w->vma[1].shared = 1)                                                   \
	D(empty_area, w->vma[0].end = w->vma[0].start)                                            \
	D(backward_area, w->vma[0].end = w->vma[0].start - 4096)                                  \
	D(crooked_start, w->vma[0].start++)                                                       \
	D(crooked_end, w->vma[0].end--)                                                           \
	D(overlapping_areas, w->vma[1].start = w->vma[0].end - 4096)                              \
	D(kernel_address, w->vma[1].end = 0xffff800000000000)                                     \
	D(no_executable_identity, w->process[0].exe_identity = NULL)                              \
	D(unknown_kind, w->object.kind = TEXT("teleport"))                                        \
	D(kind_without_make, w->object.kind = TEXT("unknown"))                                    \
	D(detail_of_another_kind, w->object.kind = TEXT("pipe"))                                  \
	D(no_detail, w->object.detail_case = CRAGON__OBJECT__DETAIL__NOT_SET)                     \
	D(file_without_identity, w->file.identity = NULL)                                         \
	D(missing_deleted_file, w->file.shared = 2)                                               \
	D(private_mapping_without_identity, (w->vma[0].kind = CRAGON__VMA__KIND__FILE_PRIVATE,    \
						    w->vma[0].path = TEXT("/bin/sh")))

#define DEFINE(name, damage)              \
	static void name(struct world *w) \
	{                                 \
		(void)(damage);           \
	}
DAMAGES(DEFINE)

#define ROW(name, damage) {#name, name},
static const struct {
	const char *name;
	void (*damage)(struct world *);
} damages[] = {DAMAGES(ROW)};

static void every_damage_is_named(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		struct err e = {0};
		struct world w;

		world_make(&w);
		damages[i].damage(&w);
		if (check(&w, &e) >= 0)
			fail_msg("%s was accepted", damages[i].name);
		if (e.why != WHY_BAD_IMAGE || strlen(e.text) < 20)
			fail_msg("%s: why %d, '%s'", damages[i].name, e.why, e.text);
	}
}

static void another_machine_is_refused(void **state)
{
	struct err e = {0};
	struct world w;

	world_make(&w);
	w.machine.architecture = TEXT("pdp11");
	assert_int_equal(check(&w, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "pdp11"));
	world_make(&w);
	w.machine.page_bytes = 65536;
	assert_int_equal(check(&w, &e), -ENOTSUP);
}

static void changed_files_stop_the_resume(void **state)
{
	struct err e = {0};
	struct world w;

	world_make(&w);
	w.identity.mtime_ns++;
	assert_true(check(&w, &e) < 0);
	assert_int_equal(e.why, WHY_FILE_CHANGED);
	world_make(&w);
	w.process[0].exe = TEXT("/nothing/here");
	assert_true(check(&w, &e) < 0);
	assert_int_equal(e.why, WHY_FILE_CHANGED);
	assert_non_null(strstr(e.text, "/nothing/here"));
}

static void a_zombie_needs_little(void **state)
{
	struct err e = {0};
	struct world w;

	world_make(&w);
	add_zombie(&w);
	assert_ok(check(&w, &e));
	w.process[1].exit_status = SIGSEGV | 0x80; /* dumped core */
	w.process[1].parent = 2;
	assert_ok(check(&w, &e));
}

/* The tree is built by functions that call themselves. */
static void generations_are_limited(void **state)
{
	static Cragon__Process chain[3000], *list[3000];
	struct err e = {0};
	struct world w;

	world_make(&w);
	w.meta.process = list;
	for (int i = 0; i < (int)ARRAY_LEN(chain); i++) {
		cragon__process__init(&chain[i]);
		chain[i].state = CRAGON__PROCESS__STATE__ZOMBIE;
		chain[i].pid = 2 + i;
		chain[i].parent = 1 + i;
		list[i] = &chain[i];
	}
	w.meta.n_process = 500;
	assert_ok(check(&w, &e));
	w.meta.n_process = ARRAY_LEN(chain);
	assert_true(check(&w, &e) < 0);
	assert_int_equal(e.why, WHY_BAD_IMAGE);
}

/* Opening it would wait for a writer for ever. */
static void a_fifo_in_place_of_a_file_is_refused(void **state)
{
	char dir[] = "/tmp/cragon-test-XXXXXX";
	cleanup_free char *path = NULL;
	struct err e = {0};
	struct world w;

	assert_non_null(mkdtemp(dir));
	assert_true(asprintf(&path, "%s/fifo", dir) > 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	world_make(&w);
	w.object.path = path;
	assert_int_equal(check(&w, &e), -ESTALE);
	assert_int_equal(e.why, WHY_FILE_CHANGED);
	world_make(&w);
	w.vma[0].kind = CRAGON__VMA__KIND__FILE_SHARED;
	w.vma[0].path = path;
	assert_int_equal(check(&w, &e), -ESTALE);
	world_make(&w);
	identify(&w.identity, path);
	w.process[0].exe = path;
	assert_int_equal(check(&w, &e), -ESTALE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_image_passes),
		cmocka_unit_test(every_damage_is_named),
		cmocka_unit_test(another_machine_is_refused),
		cmocka_unit_test(changed_files_stop_the_resume),
		cmocka_unit_test(a_zombie_needs_little),
		cmocka_unit_test(generations_are_limited),
		cmocka_unit_test(a_fifo_in_place_of_a_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
