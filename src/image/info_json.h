/* struct image_info and jansson: what info.c gives to manifest.c. */
#ifndef CRAGON_IMAGE_INFO_JSON_H
#define CRAGON_IMAGE_INFO_JSON_H

#include "image/layout.h"

#include <jansson.h>

static inline void json_p(json_t **j)
{
	json_decref(*j);
	*j = NULL;
}
#define cleanup_json cleanup(json_p)

/* A new object with every key of the table, or NULL. */
json_t *info_to_json(const struct image_info *);
/* `info` is partly filled when this fails: image_info_done() it. */
int info_from_json(const json_t *, struct image_info *info, struct err *);
int info_replace_text(char **text, const char *with);

#endif
