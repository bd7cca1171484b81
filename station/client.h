/* client.h - the CA-client in the station, for devices that cannot run one (H6): they make the key and sign, the station asks.
 *
 * Neither the private key nor a key that the CA has made is ever seen here: the one does not leave the device, the other
 * passes as ciphertext. The session with the CA is as anonymous as a device's in the factory, and what it asks is
 * judged by the same ticket. */
#ifndef HANDSEL_CLIENT_H
#define HANDSEL_CLIENT_H

#include "slot.h"

/* Issue, store, confirm, switch of a unit whose ticket is signed; u->result is the device's at the end. What fails may be begun
 * anew: the request stays the same. Codes of ca_client_call(), what CA or device refuse with; TICKET: the request was dead. */
int client_issue(struct unit *u, struct err *e);

#endif
