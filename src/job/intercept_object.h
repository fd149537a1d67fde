/* The preloaded object on disk; see intercept.h. */
#ifndef CRAGON_JOB_INTERCEPT_OBJECT_H
#define CRAGON_JOB_INTERCEPT_OBJECT_H

/* BASE/lib/cragon-intercept-HASH.so; *ret_path is the caller's. -EACCES when
 * ld.so could not load it from there. */
int intercept_object_place(const char *base, char **ret_path);
/* The file a resumed job knows, written again if it is gone. -ESTALE when it was
 * another version of cragon that had it. */
int intercept_object_again(const char *path);

#endif
