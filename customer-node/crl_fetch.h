/* crl_fetch.h - keeps the revocation lists of the factories fresh in the background: files that are replaced, URLs. */
#ifndef HANDSEL_NODE_CRL_FETCH_H
#define HANDSEL_NODE_CRL_FETCH_H

#include "factory_crl.h"

struct crl_fetch;

/* Each source of node.yaml once: a file at once, a URL when it answers. All must outlive it. NULL on failure. */
struct crl_fetch *crl_fetch_start(const struct node_conf *conf, const char *dir, const struct maker_set *makers,
				  struct factory_crls *into, struct err *e);
void crl_fetch_now(struct crl_fetch *f);	/* all of them again, from any thread */
void crl_fetch_stop(struct crl_fetch *f);	/* NULL is fine */

/* Reads a file or fetches a URL into *text (replaced). Codes: CONFIG no such file, UNREACHABLE, AUTHORITY, ... */
int crl_fetch_one(const char *source, const char *dir, struct trust *t, struct buf *text, struct err *e);
struct trust *crl_fetch_trust(const struct maker_set *makers, struct err *e);	/* who may serve a list: their CA systems */

#endif
