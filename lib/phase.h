/* phase.h - the steps of the factory transaction as the station sees them, in order. */
#ifndef HANDSEL_PHASE_H
#define HANDSEL_PHASE_H

enum phase {
	PHASE_SEEN,		/* a device of the order's model is on a known port */
	PHASE_DFU,		/* the boot loader takes the agent */
	PHASE_AGENT,		/* the agent comes back on the same port */
	PHASE_HELLO,		/* it says who it is */
	PHASE_CHECK,		/* agent, model, order and label fit */
	PHASE_PREPARE,		/* it has key and request id on stable storage */
	PHASE_TICKET,		/* the station signs for it */
	PHASE_ISSUE,		/* it requests, stores and confirms its credential through the tunnel */
	PHASE_PROOF,		/* it proves that it holds the key of the certificate */
	PHASE_LABEL,		/* its label is on paper, if there is a printer */
	PHASE_RECORD,		/* the record is on disk */
	PHASES
};

const char *phase_name(enum phase p);

#endif
