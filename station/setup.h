/* setup.h - what init and enrol write into a station's folder. */
#ifndef HANDSEL_SETUP_H
#define HANDSEL_SETUP_H

#include "unit_key.h"

struct key *setup_key(const char *dir, const struct unit_place *place, struct err *e);	/* the key, kept if it is there, and station.csr */
/* Last of all: a folder with station.yaml is complete. ca_id may be NULL. */
int setup_yaml(const char *path, const char *name, const char *ca, const char *ca_id, const struct unit_place *place, struct err *e);

/* Renews the certificate if it is due; what fails is a message: the old one is good for a third of its life. */
struct station;
void station_renew(struct station *s);

#endif
