/* finding.h - what "check" and "doctor" have found out, step by step, and the advice at the end. */
#ifndef HANDSEL_FINDING_H
#define HANDSEL_FINDING_H

#include <stdbool.h>

#include "cli.h"
#include "reason.h"

enum finding { FINDING_GOOD, FINDING_DOUBT, FINDING_BAD, FINDING_NOT_TRIED };

/* One line on stdout, or with json one object; code is REASON_OK unless the finding is bad or in doubt. */
void finding_print(bool json, const char *step, enum finding finding, enum reason code, const char *text);

/* The advice: of the first bad step's code, REASON_OK if there was none. The program's exit code. */
enum cli_exit finding_advice(bool json, enum reason code);

#endif
