/* Release and block against a queued activation as a model for Spin: a device that enrols (ids 1 to 3), its node with
 * the queue toward the CA, and an admin who blocks the device by a new allowlist (two commits: the list, then what is
 * open by it is ended) and unblocks it, and who releases it.
 *
 * A message is a bit that stays: it may arrive at once, late, never or often; each atomic block is one committed step.
 * What the queue has sent may reach the CA long after the node has done something else.
 *
 * Safety: a blocked device never becomes active at the node; after a release or block has ended an id the node tells
 * the CA no activation of it; a revoked one stays so; the device gives up no credential but that which was released.
 * Rest: the device uses what node and CA hold for active and nothing else is open; if it is blocked, nothing is open
 * at all.
 *
 *   WITHOUT_CANCEL  release and block cancel a queued activation in the same commit;
 *   WITHOUT_FINAL   revoked is final at the CA (an activation that was under way comes after the revocation);
 *   WITHOUT_ASK     the node asks again at confirm whether the device is blocked;
 *   WITHOUT_REPAIR  ending what is open of a blocked device is done again after a crash between the two commits;
 *   WITHOUT_NAMED   a release names the certificate (else an old one, replayed, takes the next credential away);
 *   WITHOUT_SIGNED  the device goes back to its factory credential only by a signed release, never because it is
 *                   refused (else a block that is lifted, or whoever forges a refusal, throws it out). */
#define IDS 3
mtype = { none, pending, valid, dead };
byte D_id = 0, D_cur = 0, D_next = 1;
bool D_stored = false;
mtype N[IDS + 1] = none, C[IDS + 1] = none;
byte N_open = 0;                        /* the id that is pending or valid */
bool blocked = false, to_end = false;
bool tell[IDS + 1], wire[IDS + 1], revoke[IDS + 1], ended[IDS + 1];      /* the queue; what is under way; */
bool cert[IDS + 1], confirm[IDS + 1], ok[IDS + 1], released[IDS + 1];    /* signed releases stay in the world */
byte blocks = 1, releases = 1, crashes = 1;

#define OPEN(i) (C[i] == pending || C[i] == valid)
#ifdef WITHOUT_ASK
#define BLOCKED false
#else
#define BLOCKED blocked
#endif

active proctype Device()
{
end:	do
	:: atomic { D_cur == 0 && D_id == 0 && D_next <= IDS && !blocked -> D_id = D_next; D_next++ }
	:: atomic { D_id != 0 && !D_stored && cert[D_id] -> D_stored = true; confirm[D_id] = true }
	:: atomic { D_id != 0 && D_stored && ok[D_id] -> D_cur = D_id; D_id = 0; D_stored = false }
	:: atomic { D_id != 0 && N[D_id] == dead && !blocked -> D_id = 0; D_stored = false }
#ifdef WITHOUT_NAMED
	:: atomic { D_cur != 0 && (released[1] || released[2] || released[3]) -> assert(ended[D_cur]); D_cur = 0 }
#else
	:: atomic { D_cur != 0 && released[D_cur] -> assert(ended[D_cur]); D_cur = 0 }
#endif
#ifdef WITHOUT_SIGNED
	:: atomic { D_cur != 0 && blocked -> assert(ended[D_cur]); D_cur = 0 }
#endif
	od
}

proctype Node(byte i)
{
end:	do
	:: atomic { D_id == i && N[i] == none && N_open == 0 && !blocked -> N[i] = pending; N_open = i }
	:: atomic { N[i] == pending && C[i] == none -> C[i] = pending }
	:: atomic { N[i] == pending && C[i] == pending && !cert[i] -> cert[i] = true }
	:: atomic { confirm[i] && N[i] == pending && !BLOCKED -> assert(!blocked); N[i] = valid; tell[i] = true }
	:: atomic { confirm[i] && N[i] == valid && !blocked && !ok[i] -> ok[i] = true }
	/* the queue: one message at a time, a revocation only when what went before is answered or lost */
	:: atomic { tell[i] && !wire[i] -> assert(!ended[i]); wire[i] = true }
	:: atomic { wire[i] && OPEN(i) -> C[i] = valid; tell[i] = false; wire[i] = false }
#ifdef WITHOUT_FINAL
	:: atomic { wire[i] && C[i] == dead -> assert(!ended[i]); C[i] = valid; tell[i] = false; wire[i] = false }
#else
	:: atomic { wire[i] && C[i] == dead -> tell[i] = false; wire[i] = false }
#endif
	:: atomic { revoke[i] -> C[i] = dead; revoke[i] = false }
	od
}

inline finish(i) {
	if
	:: i != 0 ->
#ifndef WITHOUT_CANCEL
		tell[i] = false;
#endif
		N[i] = dead; ended[i] = true; revoke[i] = true; N_open = 0
	:: else
	fi
}

active proctype Admin()
{
end:	do
	:: atomic { blocks > 0 && !blocked -> blocks--; blocked = true; to_end = true };
		if
		:: atomic { crashes > 0 -> crashes--
#ifdef WITHOUT_REPAIR
			; to_end = false
#endif
		   }
		:: true
		fi;
		atomic { if :: to_end -> finish(N_open); to_end = false :: else fi };
		if :: blocked = false :: break fi
	:: atomic { releases > 0 && !blocked && N_open != 0 -> releases--; released[N_open] = true; finish(N_open) }
	od
}

#define OPENS (OPEN(1) + OPEN(2) + OPEN(3))
init {
	atomic { run Node(1); run Node(2); run Node(3) }
	timeout -> assert(blocked || D_cur == 0 || N[D_cur] == dead || (N[D_cur] == valid && C[D_cur] == valid && OPENS == 1));
	assert(blocked || D_cur != 0 || (D_id == 0 && D_next > IDS));
	assert(!blocked || (OPENS == 0 && N_open == 0))
}
