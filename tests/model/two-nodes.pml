/* Two nodes of one customer as a model for Spin: a device that is carried between node 1 and node 2 while it enrols,
 * and the customer CA that binds it to the node that reserved first; the other is answered E24 until the first
 * releases.
 *
 * A message is a bit that stays: it may arrive at once, late, never or often; each atomic block is one committed step.
 * MOVES carries the device over, with or without its store (a half-made slot, or a credential). LAPSES of a healthy
 * pending try; one whose device is at the other node lapses always. An admin releases at the first node a device that
 * the other was told E24 for.
 *
 * Safety: at most one credential of the device is open; a device drops no credential that its node holds for active.
 * Rest: the device has a credential that its node and the CA hold for active, and no other is open.
 *
 *   WITHOUT_BINDING    the CA binds a device to the first node that reserves for it;
 *   WITHOUT_SCOPE      ids are scoped to the node that asked: it can revoke its own alone (else a node that was told
 *                      E24 for an id and forgets it later revokes it at the other);
 *   WITHOUT_TOMBSTONE  a release that reaches the CA before the id leaves a tombstone (else a late request binds the
 *                      device to the node that has released it);
 *   WITHOUT_RELEASE    a release is told to the CA, which unbinds;
 *   WITHOUT_ASK        a node that does not know the id of a confirm does not say "dead" by itself: it asks the CA, and
 *                      says E24 while another node has the id open. The design does not say this: Spin does (the device
 *                      would throw away the credential that is active at its own node). */
#define IDS 3
#define AT(i, n) (2 * (i) + (n) - 2)    /* id i at node n, counted from 1 */
#define ALL 7
mtype = { none, pending, valid, dead };

byte D_at = 1, D_id = 0, D_next = 1, D_cur = 0;
byte D_from = 0;                        /* the node whose certificate is stored in the new slot */
mtype N[ALL] = none, C[ALL] = none;     /* what the nodes and the CA hold of an id; at the CA by the node that asked */
byte N_id[3], N_max[3];                 /* the id that counts at a node, and its highest */
bool sent[ALL], asked[ALL], cert[ALL], revoke[ALL];
byte moves = 2, lapses = 1, wipes = 1;

#define OPEN(a) (C[a] == pending || C[a] == valid)
#define OPENS(n) (OPEN(AT(1, n)) + OPEN(AT(2, n)) + OPEN(AT(3, n)))
#define HERE AT(D_id, D_at)
#ifdef WITHOUT_BINDING
#define ELSEWHERE(n) false
#else
#define ELSEWHERE(n) (OPENS(3 - n) != 0)
#endif
#ifdef WITHOUT_ASK
#define NOWHERE true
#else
#define NOWHERE (OPENS(3 - D_at) == 0)
#endif

inline drop() {
	assert(D_from == 0 || N[AT(D_id, D_from)] != valid);
	D_id = 0; D_from = 0
}
inline switch() { D_cur = AT(D_id, D_from); D_id = 0; D_from = 0 }

active proctype Device()
{
end:	do
	:: atomic { D_cur == 0 && D_id == 0 && D_next <= IDS -> D_id = D_next; D_next++ }
	:: atomic { D_id != 0 && D_from == 0 && !sent[HERE] -> sent[HERE] = true }
	:: atomic { D_id != 0 && D_from == 0 && cert[HERE] -> D_from = D_at }
	:: atomic { D_id != 0 && D_from == 0 && N[HERE] == dead -> drop() }
	:: atomic { D_id != 0 && D_from == D_at && N[HERE] == pending ->         /* confirm; its answer arrives or not */
		assert(C[HERE] == pending);
		N[HERE] = valid; if :: switch() :: true fi }
	:: atomic { D_id != 0 && D_from == D_at && N[HERE] == valid -> switch() }
	:: atomic { D_id != 0 && D_from == D_at && N[HERE] == dead -> drop() }
	:: atomic { D_id != 0 && D_from != 0 && D_from != D_at && NOWHERE -> drop() }     /* else E24, and the slot is kept */
	:: atomic { D_cur == 0 && moves > 0 -> moves--; D_at = 3 - D_at }
	:: atomic { wipes > 0 && (D_id != 0 || D_cur != 0) -> wipes--; D_id = 0; D_cur = 0; D_from = 0 }
	od
}

inline forget(i, n) { N[AT(i, n)] = dead; revoke[AT(i, n)] = true; if :: N_id[n] == i -> N_id[n] = 0 :: else fi }

/* What node n does about id i, and the CA for it. An id that is refused with E24 is simply asked again. */
proctype Node(byte n; byte i)
{
	byte a = AT(i, n);
end:	do
	:: atomic { sent[a] && N[a] == none && i > N_max[n] && (N_id[n] == 0 || N[AT(N_id[n], n)] != valid) ->
		if :: N_id[n] != 0 -> forget(N_id[n], n) :: else fi;
		N[a] = pending; N_id[n] = i; N_max[n] = i }
	:: atomic { N[a] == pending && !asked[a] -> asked[a] = true }            /* on the way to the CA, perhaps for long */
	:: atomic { asked[a] && C[a] == none && !ELSEWHERE(n) && OPENS(n) == 0 ->
		C[a] = pending; assert(OPENS(1) + OPENS(2) == 1) }
	:: atomic { N[a] == pending && C[a] == pending && !cert[a] -> cert[a] = true }
	:: atomic { N[a] == valid && C[a] == pending -> C[a] = valid }
	:: atomic { revoke[a] ->
		revoke[a] = false;
#ifdef WITHOUT_SCOPE
		C[AT(i, 1)] = dead; C[AT(i, 2)] = dead; assert(D_cur == 0 || OPEN(D_cur))
#endif
#ifdef WITHOUT_TOMBSTONE
		if :: C[a] != none -> C[a] = dead :: else fi
#else
		C[a] = dead
#endif
	}
	:: atomic { N[a] == pending && (lapses > 0 || D_at != n || D_id != i) ->
		if :: D_at == n && D_id == i -> lapses-- :: else fi;
		forget(i, n) }
	:: atomic { N[a] == valid && D_cur != a && (D_id != i || D_at != n) ->  /* the admin releases it */
		forget(i, n)
#ifdef WITHOUT_RELEASE
		; revoke[a] = false
#endif
	}
	od
}

init {
	atomic { run Node(1, 1); run Node(1, 2); run Node(1, 3); run Node(2, 1); run Node(2, 2); run Node(2, 3) }
	timeout -> assert(OPENS(1) + OPENS(2) <= 1);
	assert(D_cur != 0 -> (N[D_cur] == valid && C[D_cur] == valid) : (D_id == 0 && D_next > IDS))
}
