/* The images that an operand of inspect or verify names. */
#ifndef CRAGON_CLI_IMAGES_H
#define CRAGON_CLI_IMAGES_H

#include "base/err.h"

struct image_paths {
	char **paths;
	size_t n;
};

void image_paths_done(struct image_paths *);

/* Appends the paths `operand` stands for: the image itself, or all images of a
 * job directory, newest first, damaged ones included. */
int images_all(const char *operand, struct image_paths *, struct err *);

/* Appends one path: the image itself, or the newest valid one of a job. */
int images_newest(const char *operand, struct image_paths *, struct err *);

#define cleanup_image_paths cleanup(image_paths_done)

#endif
