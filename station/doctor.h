/* doctor.h - whether a station can work: what stands in its way, looked at step by step. */
#ifndef HANDSEL_DOCTOR_H
#define HANDSEL_DOCTOR_H

#include "finding.h"

typedef void doctor_report(void *arg, const char *step, enum finding finding, enum reason code, const char *text);

/* order, model: NULL if those steps shall not be looked at. The code of the first bad step, or REASON_OK. */
enum reason doctor(const char *dir, const char *order, const char *model, doctor_report *report, void *arg);

#endif
