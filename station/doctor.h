/* doctor.h - whether a station can work: what stands in its way, looked at step by step. */
#ifndef HANDSEL_DOCTOR_H
#define HANDSEL_DOCTOR_H

#include "finding.h"

/* order, model: NULL if those steps shall not be looked at. */
void doctor(const char *dir, const char *order, const char *model, struct findings *all);

#endif
