/* The inside of struct job, shared by the engine's own files. */
#ifndef CRAGON_ENGINE_JOB_H
#define CRAGON_ENGINE_JOB_H

#include "engine/engine.h"
#include "engine/outputs.h"
#include "engine/reaper.h"

struct job {
	struct reaper reaper;
	pid_t root;   /* COMMAND as cragon sees it; 0 once its end was told */
	bool ended;
	int status; /* wait status, when ended */
	struct outputs outputs;
};

/* check.c: is the metadata sound, whatever wrote it? No file is looked at. */
int image_check(const Cragon__Image *, struct err *);

#endif
