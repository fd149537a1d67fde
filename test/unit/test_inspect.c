/*
 * What inspect, and the tables under it, make of an image: also of one whose
 * parts point nowhere, and of names that would drive a terminal.
 */
#include "image_util.h"

#include "cli/images.h"
#include "cli/inspect.h"
#include "cli/print.h"
#include "cli/table.h"

#include <sys/mman.h>

#define SPACE 7
#define TEXT(s) (char *)(s)

/* A shell (2) with a child (5) and a grandchild (9), and an orphan (3). */
struct world {
	Cragon__Image meta;
	Cragon__Machine machine;
	Cragon__Process process[4], *processes[4];
	Cragon__Mm mm;
	Cragon__Vma vma[3], *vmas[3];
	Cragon__Thread thread[2], *threads[2];
	Cragon__Descriptor fd[3], *fds[3];
	Cragon__Object object[2], *objects[2];
	Cragon__Pipe pipe;
};

static void world_memory(struct world *w)
{
	cragon__mm__init(&w->mm);
	w->mm.space = SPACE;
	w->mm.start_brk = 0x20000;
	w->mm.brk = 0x28000;
	for (int i = 0; i < 3; i++) {
		cragon__vma__init(&w->vma[i]);
		w->vmas[i] = &w->vma[i];
		w->vma[i].start = 0x10000u * (unsigned)(i + 1);
		w->vma[i].end = w->vma[i].start + 0x8000;
		w->vma[i].protection = PROT_READ | PROT_WRITE;
	}
	w->vma[0].kind = CRAGON__VMA__KIND__FILE_PRIVATE;
	w->vma[0].path = TEXT("/bin/evil\033[2J");
	w->vma[2].kind = CRAGON__VMA__KIND__SHARED;
	w->vma[2].shared = 77; /* there is no such object */
}

static void world_files(struct world *w)
{
	cragon__pipe__init(&w->pipe);
	w->pipe.id = 4711;
	w->pipe.content = (ProtobufCBinaryData){3, (uint8_t *)TEXT("abc")};
	for (int i = 0; i < 3; i++) {
		cragon__descriptor__init(&w->fd[i]);
		w->fds[i] = &w->fd[i];
		w->fd[i].number = i;
	}
	for (int i = 0; i < 2; i++) {
		cragon__object__init(&w->object[i]);
		w->objects[i] = &w->object[i];
	}
	w->object[0].kind = TEXT("file");
	w->object[0].path = TEXT("/tmp/caf\xe9");
	w->object[0].position = 12345;
	w->object[1].kind = TEXT("pipe");
	w->object[1].flags = O_WRONLY;
	w->object[1].detail_case = CRAGON__OBJECT__DETAIL_PIPE;
	w->object[1].pipe = &w->pipe;
	w->fd[1].object = 1;
	w->fd[2].object = 99; /* points nowhere */
}

static void world_make(struct world *w)
{
	static const int pids[] = {2, 3, 5, 9}, parents[] = {1, 1, 2, 5};

	cragon__image__init(&w->meta);
	cragon__machine__init(&w->machine);
	world_memory(w);
	world_files(w);
	for (int i = 0; i < 4; i++) {
		cragon__process__init(&w->process[i]);
		w->processes[i] = &w->process[i];
		w->process[i].pid = pids[i];
		w->process[i].parent = parents[i];
		w->process[i].comm = TEXT(i ? "child" : "shell");
	}
	for (int i = 0; i < 2; i++) {
		cragon__thread__init(&w->thread[i]);
		w->threads[i] = &w->thread[i];
		w->thread[i].tid = 2 + 10 * i;
		w->thread[i].comm = TEXT("worker");
	}
	w->process[0].mm = &w->mm;
	w->process[0].vma = w->vmas, w->process[0].n_vma = 3;
	w->process[0].thread = w->threads, w->process[0].n_thread = 2;
	w->process[0].fd = w->fds, w->process[0].n_fd = 3;
	w->meta.machine = &w->machine;
	w->meta.process = w->processes, w->meta.n_process = 4;
	w->meta.object = w->objects, w->meta.n_object = 2;
}

static void world_image(const char *path, uint64_t pages)
{
	struct image_writer_options o = {.workers = 1};
	cleanup_fd int fd = open_dir(path);
	struct image_totals totals;
	struct image_writer *w;
	struct world world;
	struct err e = {0};

	world_make(&world);
	assert_ok(image_writer_open(&w, fd, &o, &e));
	assert_ok(write_pages(w, SPACE, 0x10000, pages, IMAGE_KEEP_ZERO));
	assert_ok(image_writer_finish(w, &world.meta, &totals, &e));
	image_writer_free(w);
	write_info(fd, 3);
}

static void has(const struct buf *text, const char *part)
{
	if (!strstr(text->data, part))
		fail_msg("no '%s' in:\n%s", part, text->data);
}

static void tree_order(void **state)
{
	static const struct tree_node expected[] = {{0, 0}, {2, 1}, {3, 2}, {1, 0}};
	cleanup_free struct tree_node *nodes = NULL;
	struct world w;

	world_make(&w);
	nodes = inspect_tree(&w.meta);
	assert_non_null(nodes);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(nodes[i].index, expected[i].index);
		assert_int_equal(nodes[i].depth, expected[i].depth);
	}
}

/* Parents that name each other, or themselves, are all shown once. */
static void tree_with_a_circle(void **state)
{
	cleanup_free struct tree_node *nodes = NULL;
	bool seen[4] = {false};
	struct world w;

	world_make(&w);
	w.process[0].parent = 5;
	w.process[1].parent = 3;
	nodes = inspect_tree(&w.meta);
	assert_non_null(nodes);
	for (size_t i = 0; i < 4; i++) {
		assert_false(seen[nodes[i].index]);
		seen[nodes[i].index] = true;
	}
}

static void as_text(void **state)
{
	cleanup_buf struct buf b = {0};
	struct image *image;
	struct err e = {0};

	TEMP_DIR(dir);
	world_image(dir, 4);
	assert_ok(image_open(&image, dir, &e));
	inspect_text(image, dir, true, &b);
	image_close(image);
	assert_int_equal(buf_error(&b), 0);
	assert_null(strchr(b.data, '\033'));
	has(&b, "/bin/evil\\x1b[2J");
	has(&b, "10000-18000  rw-     private-file");
	has(&b, "[heap]");
	has(&b, "pipe 4711, 3 bytes in it");
	has(&b, "12345");
	has(&b, "    child"); /* two levels deep */
	has(&b, "private-file       1  32.0 KiB");
	has(&b, "reason: ?");
}

static void as_json(void **state)
{
	json_t *value, *process, *file;
	struct image *image;
	struct err e = {0};

	TEMP_DIR(dir);
	world_image(dir, 4);
	assert_ok(image_open(&image, dir, &e));
	value = inspect_json(image, dir, false);
	image_close(image);
	assert_non_null(value);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(value, "info"), "number")), 3);
	process = json_array_get(json_object_get(value, "process"), 0);
	assert_int_equal(json_array_size(json_object_get(process, "thread")), 2);
	assert_null(json_object_get(process, "area"));
	file = json_array_get(json_object_get(process, "file"), 0);
	assert_string_equal(json_string_value(json_object_get(file, "path")), "/tmp/caf\\xe9");
	file = json_array_get(json_object_get(process, "file"), 2);
	assert_true(json_is_null(json_object_get(file, "kind")));
	json_decref(value);
}

static void tables(void **state)
{
	cleanup_table struct table t = {.columns = "lrl"};
	cleanup_buf struct buf b = {0};

	table_cells(&t, (const char *const[]){"A", "NUMBER", "WHAT", NULL});
	table_cells(&t, (const char *const[]){"caf\xc3\xa9", "7", "", NULL});
	table_cells(&t, (const char *const[]){"", "", "x\ny", NULL});
	table_print(&t, 1, &b);
	assert_string_equal(b.data, " A     NUMBER  WHAT\n"
				    " caf\xc3\xa9       7\n"
				    "               x\\x0ay\n");
}

static void commands_as_typed(void **state)
{
	char *words[] = {TEXT("./a.out"), TEXT(""), TEXT("it's"), TEXT("a b"), TEXT("x\ny"), NULL};
	cleanup_buf struct buf b = {0};

	text_command(&b, words);
	assert_string_equal(b.data, "./a.out '' 'it'\\''s' 'a b' 'x\\x0ay'");
	buf_clear(&b);
	text_command(&b, NULL);
	assert_int_equal(b.len, 0);
}

static void which_images(void **state)
{
	cleanup_image_paths struct image_paths paths = {0};
	struct err e = {0};
	char path[160];

	TEMP_DIR(dir);
	assert_ok(images_all(dir, &paths, &e)); /* not a job: taken for an image */
	assert_string_equal(paths.paths[0], dir);
	image_paths_done(&paths);

	snprintf(path, sizeof path, "%s/checkpoint_images", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(images_all(dir, &paths, &e) < 0);
	assert_int_equal(e.why, WHY_NO_IMAGE);
	snprintf(path, sizeof path, "%s/checkpoint_images/9_u@h", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	make_image(path, 9, 1);
	snprintf(path, sizeof path, "%s/checkpoint_images/10_u@h", dir);
	assert_int_equal(mkdir(path, 0700), 0); /* damaged: empty */

	assert_ok(images_all(dir, &paths, &e));
	assert_int_equal(paths.n, 2);
	assert_string_equal(paths.paths[0], path);
	image_paths_done(&paths);
	assert_ok(images_newest(dir, &paths, &e));
	assert_non_null(strstr(paths.paths[0], "/9_u@h"));

	assert_true(images_newest("/nowhere/at/all", &paths, &e) < 0);
	assert_int_equal(e.why, WHY_NO_IMAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tree_order),
		cmocka_unit_test(tree_with_a_circle),
		cmocka_unit_test(as_text),
		cmocka_unit_test(as_json),
		cmocka_unit_test(tables),
		cmocka_unit_test(commands_as_typed),
		cmocka_unit_test(which_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
