/* An open image's inside, shared by reader.c and verify.c. */
#ifndef CRAGON_IMAGE_READER_H
#define CRAGON_IMAGE_READER_H

#include "image/manifest.h"

struct image {
	int dirfd, pages_fd;
	struct image_info info;
	struct manifest manifest;
	Cragon__Image *meta;
	struct index index;
	size_t *first;	    /* per frame: where its extents begin in by_frame */
	uint32_t *by_frame; /* numbers of extents */
};

static inline void image_close_p(struct image **image)
{
	image_close(*image);
	*image = NULL;
}

#endif
