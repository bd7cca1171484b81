/* fuzz.h - a harness is one file fuzz_NAME.c with the entry point below, and a folder corpus/NAME of seeds.
 *
 * `make check` links it with replay.c and gives it every file of its corpus and the hostile vectors; fuzz.sh NAME links it with
 * libFuzzer. The harness checks more than that nothing crashes: what was accepted must be written and read again the same. */
#ifndef HANDSEL_FUZZ_H
#define HANDSEL_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A rule that no input may break. */
#define FUZZ_MUST(rule)                                                                 \
	do {                                                                            \
		if (!(rule)) {                                                          \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #rule); \
			abort();                                                        \
		}                                                                       \
	} while (0)

#endif
