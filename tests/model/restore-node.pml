/* The node's database put back from a backup as a model for Spin: a device that enrols (ids 1 to 3), may lose its
 * store and be released; its node with the queue toward the CA; the CA. The backup is taken at any moment and put back
 * at any later one.
 *
 * A message is a bit that stays; each atomic block is one committed step. Reconciling: the node asks the CA for all
 * ids of its own and takes over what it says, open or dead, and the highest generation; what is dead here stays so and
 * is revoked there.
 *
 * A restore is noticed by the CA's mark, so only if the CA was told anything since the backup (told). What was lost besides is what
 * the node had not told.
 *
 * Safety: at the CA one id is open at a time; what the device uses or has stored is revoked only by the admin or by a
 * lapse. Rest: the device uses what node and CA hold for active, and nothing else is open.
 *
 *   WITHOUT_RECOVERING  a node that was put back answers nothing but "again" until it is reconciled (else it calls a
 *                       confirm dead whose id it has forgotten, and the device drops what is active);
 *   WITHOUT_RECONCILE   it takes over from the CA what it does not know;
 *   WITHOUT_HOLD        what was learnt as pending by reconciling does not lapse: it may have been confirmed before
 *                       (only its device, or the admin, ends it). The design says neither this nor the next, Spin does;
 *   WITHOUT_START       nor does what was pending when the node was started, which may have been put back unnoticed;
 *   WITHOUT_USE         the use of a credential that the CA calls pending counts as its confirm: the queued activation
 *                       was lost with the disk, and the device does not confirm again what it has switched to. */
#define IDS 3
mtype = { none, pending, valid, dead };
byte D_id = 0, D_cur = 0, D_next = 1;
bool D_stored = false;
mtype N[IDS + 1] = none, B[IDS + 1] = none, C[IDS + 1] = none;
byte N_open = 0, N_max = 0, B_open, B_max;
bool tell[IDS + 1], revoke[IDS + 1], b_tell[IDS + 1], b_revoke[IDS + 1];
bool backup = false, restored = false, recovering = false, told = false, ended[IDS + 1], held[IDS + 1];
byte wipes = 1, lapses = 1;

#define OPEN(i) (C[i] == pending || C[i] == valid)
#define OPENS (OPEN(1) + OPEN(2) + OPEN(3))
#ifdef WITHOUT_RECOVERING
#define READY true
#else
#define READY !recovering
#endif
#ifdef WITHOUT_HOLD
#define HELD(i) false
#else
#define HELD(i) held[i]
#endif
inline lose() { D_id = 0; D_stored = false }
inline end_id(i) {
	N[i] = dead; tell[i] = false; revoke[i] = true; ended[i] = true;
	if :: N_open == i -> N_open = 0 :: else fi
}

active proctype Device()
{
end:	do
	:: atomic { D_cur == 0 && D_id == 0 && D_next <= IDS -> D_id = D_next; D_next++ }
	:: atomic { D_id != 0 && !D_stored && N[D_id] == pending && C[D_id] == pending && READY -> D_stored = true }
	:: atomic { D_id != 0 && D_stored && N[D_id] == pending && READY ->      /* confirm; answered or not */
		N[D_id] = valid; tell[D_id] = true; if :: D_cur = D_id; lose() :: true fi }
	:: atomic { D_id != 0 && D_stored && N[D_id] == valid && READY -> D_cur = D_id; lose() }
	:: atomic { D_id != 0 && (N[D_id] == dead || (N[D_id] == none && (D_id <= N_max || D_stored))) && READY ->
		assert(!D_stored || C[D_id] == dead || ended[D_id]); lose() }
#ifndef WITHOUT_USE
	:: atomic { D_cur != 0 && N[D_cur] == pending && READY -> N[D_cur] = valid; tell[D_cur] = true }
#endif
	:: atomic { wipes > 0 && (D_id != 0 || D_cur != 0) -> wipes--; D_cur = 0; lose() }
	od
}

proctype Node(byte i)
{
end:	do
	:: atomic { D_id == i && N[i] == none && i > N_max && N_open == 0 && !revoke[1] && !revoke[2] && !revoke[3] && READY ->
		N[i] = pending; N_open = i; N_max = i }
	:: atomic { D_id == i && N[i] == none && i > N_max && N_open != 0 && N[N_open] == pending && READY -> end_id(N_open) }
	:: atomic { N[i] == pending && C[i] == none && OPENS == 0 && READY -> C[i] = pending; told = true }
	:: atomic { N[i] == pending && lapses > 0 && !HELD(i) && READY -> lapses--; assert(D_cur != i); end_id(i) }
	:: atomic { N[i] == pending && D_cur != i && D_id != i && READY -> end_id(i) }           /* lapses, or is superseded */
	:: atomic { N[i] == valid && D_cur != i && D_id != i && READY -> end_id(i) }      /* the admin releases a wiped one */
	:: atomic { tell[i] && READY -> if :: C[i] == pending -> C[i] = valid :: else fi; tell[i] = false; told = true }
	:: atomic { revoke[i] && READY -> C[i] = dead; revoke[i] = false; told = true;
		assert(D_cur != i && (D_id != i || !D_stored || ended[i])) }
	od
}

#define LEARN(i) \
	if \
	:: N[i] == dead -> revoke[i] = OPEN(i) \
	:: N[i] != dead && OPEN(i) -> N[i] = C[i]; N_open = i; held[i] = true; if :: N_max < i -> N_max = i :: else fi \
	:: N[i] != dead && C[i] == dead -> N[i] = dead; if :: N_max < i -> N_max = i :: else fi \
	:: else \
	fi

active proctype Disk()
{
end:	do
	:: atomic { !backup -> backup = true; told = false; B_open = N_open; B_max = N_max;
		B[1] = N[1]; B[2] = N[2]; B[3] = N[3]; b_tell[1] = tell[1]; b_tell[2] = tell[2]; b_tell[3] = tell[3];
		b_revoke[1] = revoke[1]; b_revoke[2] = revoke[2]; b_revoke[3] = revoke[3] }
	:: atomic { backup && !restored -> restored = true; recovering = told; N_open = B_open; N_max = B_max;
		N[1] = B[1]; N[2] = B[2]; N[3] = B[3]; tell[1] = b_tell[1]; tell[2] = b_tell[2]; tell[3] = b_tell[3];
		revoke[1] = b_revoke[1]; revoke[2] = b_revoke[2]; revoke[3] = b_revoke[3];
#ifndef WITHOUT_START
		held[1] = N[1] == pending; held[2] = N[2] == pending; held[3] = N[3] == pending
#endif
	}
	:: atomic { recovering ->
		recovering = false;
#ifndef WITHOUT_RECONCILE
		N_open = 0; LEARN(1); LEARN(2); LEARN(3)
#endif
	}
	od
}

init {
	atomic { run Node(1); run Node(2); run Node(3) }
	timeout -> assert(D_cur != 0 -> (N[D_cur] == valid && C[D_cur] == valid && OPENS == 1) :
					(D_id == 0 && D_next > IDS && OPENS == 0))
}
