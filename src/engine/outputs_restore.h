/*
 * Putting a job's output files back: what the steps have in common.
 *
 * Stage (before anything is built): decides for each file what is to be done and
 * prepares what has to be another file, under a temporary name beside its place;
 * digests are checked, room on the disk is found to be missing here. Nothing that
 * was there is changed. Until the commit, outputs_now() tells which name leads to a file.
 *
 * Commit (when nothing else can fail): content is put back, names are exchanged,
 * and what the job had created since moves aside. Each step looks at what is there,
 * so that a commit that was cut short is simply done again by the next resume.
 */
#ifndef CRAGON_ENGINE_OUTPUTS_RESTORE_H
#define CRAGON_ENGINE_OUTPUTS_RESTORE_H

#include "engine/outputs.h"
#include "base/buf.h"

enum stage {
	STAGE_NOTHING,	 /* it is as it was, or it is not ours to change */
	STAGE_IN_PLACE,	 /* the same file under its name: content is put back */
	STAGE_ELSEWHERE, /* the same file under another name: renamed back */
	STAGE_NEW,	 /* prepared under a temporary name */
	STAGE_LINK,	 /* another name of an earlier one */
	STAGE_SYMLINK,
};

struct staged_file {
	enum stage stage;
	char *now; /* the name that leads to it until the commit; NULL: its own */
};

struct outputs_restore {
	const Cragon__Outputs *meta; /* NULL: nothing to put back */
	const struct engine_restore *options;
	struct buf *remarks;
	struct names index;	   /* paths of meta->file, same order */
	struct staged_file *files; /* as many */
	struct watch watch;	   /* what is there now */
	struct names seen, foreign;
	struct names made;	 /* directories made while staging */
	struct names put, again; /* for the log: changed back, there again */
	int saved;		 /* files/ of the image, -1 */
	int aside;		 /* where to move what is in the way, -1: not made yet */
	bool committed;
};

#define OUTPUTS_RESTORE_NONE             \
	{                                \
		.saved = -1, .aside = -1 \
	}

void outputs_restore_done(struct outputs_restore *); /* undoes what was staged unless committed */
/* Names can be asked for from here on. */
int outputs_restore_begin(struct outputs_restore *, const Cragon__Outputs *,
	const struct engine_restore *, struct buf *remarks, struct err *);
int outputs_stage(struct outputs_restore *, int image_fd, struct err *);
int outputs_commit(struct outputs_restore *, struct err *);

/* Is this file's content put back (NULL: no), or at least its length? */
const Cragon__OutputFile *outputs_file(const struct outputs_restore *, const char *path);
/* The name that leads to the file at this moment. */
const char *outputs_now(const struct outputs_restore *, const char *path);

/* ---- between the files that do this -------------------------------------- */

/* outputs_content.c: differs: 1, the same: 0. */
int output_differs(const struct outputs_restore *, const Cragon__OutputFile *, int fd);
int output_put(const struct outputs_restore *, const Cragon__OutputFile *, int fd);
/* Is the content that the image holds of it undamaged? */
int output_check(const struct outputs_restore *, const Cragon__OutputFile *, struct err *);

/* One line with the first names. */
void outputs_tell(struct outputs_restore *, const struct names *, const char *what);

/* outputs_aside.c: out of the way, into the job directory. 0, or -ENOTSUP when
 * there is none. */
int aside_move(struct outputs_restore *, const char *path);
int aside_copy(struct outputs_restore *, const char *path, int fd);
/* What was created after the checkpoint. */
void aside_created(struct outputs_restore *);
/* Somebody else's by now, as far as can be told? */
bool aside_is_foreign(const struct outputs_restore *, const char *path, const struct stat *);

#endif
