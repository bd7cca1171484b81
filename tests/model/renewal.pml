/* Renewal as a model for Spin: a device with customer credential 1 makes up to three tries (ids 2 to 4) in its second
 * slot; a thief has the key of credential 1 and uses it once that is superseded.
 *
 * A message is a bit that stays: it may arrive at once, late, never or often; each atomic block is one committed step.
 * WIPES of the new slot before its confirm was sent, LAPSES of a pending try, RESTARTS of the device.
 *
 * Safety: the device always has a credential in use that node and CA take; no dead try comes to life; the thief gets
 * nothing. Rest: the device uses what node and CA hold for active, and all others are revoked.
 *
 *   WITHOUT_SLOT     a renewal is written to the second slot (else a lapsed try leaves a device without credential);
 *   WITHOUT_OLD      the CA revokes the old one only after the device has reported the switch, not when the renewal
 *                    begins (else a device whose renewal is slow or lapses is refused by all who read the CRL). So the
 *                    CA must hold two open credentials for a device while it renews: one active, one pending;
 *   WITHOUT_REPEAT   the superseded one is still good for repeating the renewal (else a lost answer strands the
 *                    device);
 *   WITHOUT_ONLY     and for nothing else (else a thief of the old key takes the device over);
 *   WITHOUT_CONFIRM  a stored unconfirmed slot is confirmed before anything else is begun (else a new id is asked for
 *                    with what is superseded already, and refused for ever);
 *   WITHOUT_DEAD     a superseded or lapsed id is dead for ever, also when its confirm comes late;
 *   WITHOUT_REPORT   the first use of the new one is the report of the switch and ends the old. */
#define THIEF 5
#define FRESH(i) (i > N_max)
mtype = { none, pending, valid, superseded, dead, revoked };

byte D_cur = 1, D_new = 0, D_next = 2;
bool D_stored = false, D_old_gone = false;
mtype N[6] = none, C[6] = none;         /* what node and CA hold of an id */
byte N_pending = 0, N_active = 1, N_max = 1;
bool issue[6], cert[6], confirm[6], ok[6], gone[6], report = false;
byte wipes = 1, lapses = 1, restarts = 1;

#define GOOD(i) (N[i] == valid || N[i] == superseded)
#define TAKES(i) (C[i] == valid || C[i] == pending)     /* whoever reads the CRL takes it */
#define SAFE assert(!D_old_gone && GOOD(D_cur) && TAKES(D_cur))
#ifdef WITHOUT_ONLY
#define RENEWS GOOD(1)
#else
#define RENEWS (N[1] == valid)
#endif
#ifdef WITHOUT_REPEAT
#define REPEATS (N[1] == valid)
#else
#define REPEATS GOOD(1)
#endif

active proctype Device()
{
end:	do
	:: atomic { D_cur == 1 && D_new == 0 && D_next <= 4 ->
		D_new = D_next; D_next++; issue[D_new] = true }
	:: atomic { D_new != 0 && !D_stored && cert[D_new] ->
		D_stored = true
#ifdef WITHOUT_SLOT
		; D_old_gone = true
#endif
		}
	:: atomic { D_new != 0 && D_stored && !confirm[D_new] -> confirm[D_new] = true }
	:: atomic { D_new != 0 && D_stored && ok[D_new] ->
		D_cur = D_new; D_new = 0; D_stored = false; D_old_gone = false; SAFE }
	:: atomic { D_new != 0 && gone[D_new] -> D_new = 0; D_stored = false; SAFE }
	:: atomic { D_new != 0 && !confirm[D_new] && wipes > 0 -> wipes--; D_new = 0; D_stored = false }
	:: atomic { D_cur != 1 -> report = true }; break         /* any use of the new one */
#ifdef WITHOUT_CONFIRM
	:: atomic { D_new != 0 && D_stored && restarts > 0 -> restarts--; D_new = 0; D_stored = false }
#endif
	od
}

inline bind(i) {
	if :: N_pending != 0 -> N[N_pending] = dead; C[N_pending] = revoked :: else fi;
	N_pending = i; N[i] = pending; N_max = i
#ifdef WITHOUT_OLD
	; C[1] = revoked
#endif
}
inline activate(i) {
	assert(i != THIEF);
	if :: N[N_active] == valid -> N[N_active] = superseded :: else fi;
	N[i] = valid; N_active = i; if :: N_pending == i -> N_pending = 0 :: else fi
}

/* what the node does about id i */
proctype Node(byte i)
{
end:	do
	:: atomic { issue[i] && N[i] == none && FRESH(i) && RENEWS -> bind(i) }
	:: atomic { N[i] == pending && C[i] == none -> C[i] = pending }
	:: atomic { N[i] == pending && C[i] == pending && REPEATS && !cert[i] -> cert[i] = true }
	:: atomic { issue[i] && !gone[i] && ((N[i] == none && !FRESH(i)) || N[i] == dead) && REPEATS -> gone[i] = true }
#ifdef WITHOUT_DEAD
	:: atomic { confirm[i] && (N[i] == pending || N[i] == dead) && C[i] != none && REPEATS -> activate(i) }
#else
	:: atomic { confirm[i] && N[i] == pending && C[i] == pending && REPEATS -> activate(i) }
#endif
	:: atomic { confirm[i] && N[i] == valid && REPEATS && !ok[i] -> ok[i] = true }
	:: atomic { N[i] == valid && C[i] == pending -> C[i] = valid }           /* the queue tells the CA */
	:: atomic { lapses > 0 && N[i] == pending -> lapses--; N[i] = dead; C[i] = revoked; N_pending = 0;
		assert(GOOD(D_cur) && TAKES(D_cur)) }
#ifndef WITHOUT_REPORT
	:: atomic { report && N_active == i && N[1] == superseded -> N[1] = revoked; C[1] = revoked }
#endif
	od
}

/* uses the stolen key of the old credential when it is superseded */
active proctype Thief()
{
end1:	atomic { N[1] == superseded; issue[THIEF] = true };
end:	atomic { cert[THIEF]; confirm[THIEF] = true }
}

init {
	atomic { N[1] = valid; C[1] = valid; run Node(2); run Node(3); run Node(4); run Node(THIEF) }
	timeout -> assert(D_new == 0 && N[D_cur] == valid && C[D_cur] == valid && (D_cur != 1 || D_next > 4));
	assert(D_cur == 1 || (N[1] == revoked && C[1] == revoked))
}
