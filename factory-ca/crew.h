/* crew.h - the operators there are, and which acts two of them could do: what nobody could approve would be locked for good. */
#ifndef HANDSEL_CA_CREW_H
#define HANDSEL_CA_CREW_H

#include "db.h"
#include "functions.h"
#include "x509.h"

/* 0: of each act of the set there are two whose function allows it, with a certificate that is good; the local operator counts until he
 * is ended. -1: not so, code ROLE, which says what to do; or the ledger cannot be read, code STORAGE. */
int crew_suffices(struct db *ledger, unsigned acts, int64_t now, struct err *e);

/* *locked: of the acts that need two persons by the rule in force those that no two could do now. 0, or -1: code STORAGE. */
int crew_locked(struct db *ledger, struct trust *trust, int64_t now, unsigned *locked, struct err *e);

/* For acts of the ledger alone, of which the signer hears nothing when the folder does them: -1 with code ROLE if the local operator was ended,
 * or the rule in force demands two persons for it. */
int crew_local_may(struct db *ledger, struct trust *trust, enum act a, struct err *e);

#endif
