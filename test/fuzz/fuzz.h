/* What libFuzzer calls; standalone.c calls it too. */
#ifndef CRAGON_TEST_FUZZ_H
#define CRAGON_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
