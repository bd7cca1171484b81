/* finding.h - what "check" and "doctor" have found out, step by step, and the advice at the end. */
#ifndef HANDSEL_FINDING_H
#define HANDSEL_FINDING_H

#include <stdbool.h>

#include "cli.h"
#include "reason.h"

enum finding { FINDING_GOOD, FINDING_DOUBT, FINDING_BAD, FINDING_NOT_TRIED };

struct findings {
	bool json;
	enum reason first;	/* of the first bad step, REASON_OK as long as there is none */
};

/* One line on stdout, or with json one object; code is REASON_OK unless the finding is bad or in doubt. */
void finding_say(struct findings *all, const char *step, enum finding f, enum reason code, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* The advice: what to do about the first bad step. The program's exit code. */
enum cli_exit finding_advice(const struct findings *all);

#endif
