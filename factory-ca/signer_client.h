/* signer_client.h - what the files of a front's side of the channel to handsel-signer share. */
#ifndef HANDSEL_CA_SIGNER_CLIENT_H
#define HANDSEL_CA_SIGNER_CLIENT_H

#include "pack.h"
#include "signer.h"

#define OWN_CA ""	/* of the folder that an operator's signer was started on */

struct signer {
	int fd;
	pid_t pid;
	bool gone;
};

/* Sends a question, receives the answer: 0; -1 with the signer's refusal, or with code CA_UNAVAILABLE since it is gone. */
int signer_call(struct signer *s, enum signer_message type, const struct buf *question, struct buf *answer, struct err *e);
int signer_call_or(struct signer *s, enum signer_message type, const struct buf *question, struct buf *answer, bool *refused,
		   struct err *e);		/* the same, and which of the two it is */
/* An answer that is none: nothing more is asked. -1 with code CA_UNAVAILABLE. */
int signer_gone(struct signer *s, struct err *e);

#endif
