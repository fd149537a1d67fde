/* What embed.py makes of page.css, page.js and the plotting library. */
#ifndef CRAGON_REPORT_ASSETS_H
#define CRAGON_REPORT_ASSETS_H

#include <stddef.h>

/* `sha256` is the digest that Content-Security-Policy asks for: 'sha256-...'. */
struct report_asset {
	const unsigned char *data;
	size_t len;
	const char *sha256;
};

extern const struct report_asset report_style, report_script, report_library;

#endif
