/* factories.h - at the customer: the factories whose handoff was accepted, and what their devices sign (H8).
 *
 * In the folder `factories`: ROOT.pem with a factory's CA certificates, root last; node-HASH.pem with the certificate that one of
 * our nodes shows to new devices. "handsel-ca handoff accept" writes both while the server runs, so what is not known is looked
 * for once more. */
#ifndef HANDSEL_CA_FACTORIES_H
#define HANDSEL_CA_FACTORIES_H

#include "camsg.h"
#include "documents.h"

struct factories;

/* dir: of the CA system. What is in its folder is read when it is needed. */
struct factories *factories_new(const char *dir);
void factories_free(struct factories *f);
void factories_reload(struct factories *f);

/* Writes the two files. Also while a server runs. */
int factories_accept(const char *dir, const struct handoff *h, struct err *e);

/* Was this very device, made by a factory that we know, at a node of ours with this id and new key? Thread-safe.
 * Codes ENDORSEMENT; AUTHORITY, CLOCK, ROLE of the factory certificate. */
int factories_check(struct factories *f, const struct ca_request *rq, const uint8_t spki[SHA256_LEN], struct err *e);

#endif
