/* responses.h - OCSP (RFC 6960, 5019): answers of the signer about one certificate, kept until half of their time is over. What was asked
 * for is then signed once more ahead of the next question. */
#ifndef HANDSEL_RESPONSES_H
#define HANDSEL_RESPONSES_H

#include "exchange.h"

struct responses;

struct responses *responses_new(void);
void responses_free(struct responses *s);	/* NULL is fine */

/* A POST with a request, or a GET with one in base64 behind a slash: rest is what follows the path. Exactly one http_reply(). Whatever CA
 * of the system is asked about, in force or of the generation before. */
void responses_answer(struct responses *s, struct desks *all, struct http_req *r, const char *rest);

/* At each tick: signs anew what is due and was asked for since it was last signed ahead, LIMIT_OCSP_AHEAD at most. */
void responses_ahead(struct responses *s, struct desks *all);

#endif
