/* The factory ledger put back from a backup, or the signer's database, as a model for Spin: a front with its ledger, the signer
 * with its journal, devices 1 and 2 with one label (serial 1) and device 3 (serial 2), an order of UNITS_MOST units. A backup of
 * either is taken while the front is stopped and put back at any later stop; both are not put back to one moment, for which there
 * is no remedy but to close the orders.
 *
 * Each change of a certificate (signed, confirmed, over) has a number in the journal. A message of the front is two steps: the
 * signer commits the change, the ledger does; a crash may come between them. With the next message the ledger tells up to which
 * number it has all: the signer keeps the highest (told) and refuses a ledger that tells of less (it was put back), or of more
 * than there is (the signer was). At each start a ledger that fits takes over what it lacks, which is at most the last message.
 *
 * A message to a device is a bit that stays; each atomic block is one committed step.
 *
 * Safety: no two devices pass with one serial; never more units than the quota are in use; the signer counts whatever was
 * handed out before it signs another key; a device that has passed stays known; a crash alone never makes an operator reconcile.
 *
 *   WITHOUT_BEHIND     the signer refuses a ledger that tells of less than before;
 *   WITHOUT_AHEAD      the signer refuses a ledger that tells of more than there is (else it counts too little);
 *   WITHOUT_TOLD       the bound is what the ledger has told of, not the journal's last number: else each crash between the two
 *                      commits looks like a restore;
 *   WITHOUT_REDO       at its start the ledger takes over the last message: its answers may have left, and a backup from just before
 *                      it is not behind what was told;
 *   WITHOUT_CONFIRMS   the journal has confirms as well as signatures: else a backup from between the two is not behind;
 *   WITHOUT_ENDED      the journal has what is over, too: else a lapsed key, learnt as pending, takes a unit that went to another;
 *   WITHOUT_RECONCILE  what the signer signed and the ledger does not know counts as issued. */
#ifndef RESTORES
#define RESTORES 1
#endif
#ifndef UNITS_MOST
#define UNITS_MOST 2
#endif
#define SER(d) (d == 3 -> 2 : 1)
#define MOST 12                          /* changes of the journal: three for each device, and three that agree */
mtype = { none, pending, valid, over };
bool D_stored[4], D_passed[4];
/* ledger, journal, and a backup of each, by device (one key each) */
mtype L[4] = none, S[4] = none, LB[4] = none, SB[4] = none;
byte S_at[4], SB_at[4];                  /* the number of the last change of this device */
byte L_pos = 0, S_pos = 0, S_told = 0, LB_pos = 0, SB_pos = 0, SB_told = 0;
bool up = true, asked = false;           /* the front runs; an operator must reconcile */
bool L_saved = false, S_saved = false, put_back = false;
byte restores = RESTORES;
byte above = 0;                          /* what the ledger learns has a higher number */

#define OPEN(d) (L[d] == pending || L[d] == valid)
#define TAKEN(d) (d != 3 && L[3 - d] == valid)
#define UNITS ((OPEN(1) || OPEN(2)) + OPEN(3))
#define COUNTED(d) (!D_stored[d] || S[d] != none)     /* what was handed out */
#define TOLD (L_pos > S_told -> L_pos : S_told)
#ifdef WITHOUT_BEHIND
#define BEHIND false
#else
#ifdef WITHOUT_TOLD
#define BEHIND (L_pos < S_pos)
#else
#define BEHIND (L_pos < S_told)
#endif
#endif
#ifdef WITHOUT_AHEAD
#define AHEAD false
#else
#define AHEAD (L_pos > S_pos)
#endif
#define FITS (!BEHIND && !AHEAD)

/* the signer's half of a message: what is new of device d, and that the ledger has told of L_pos */
inline journal(y, state) {
	S_told = TOLD;
	S_pos++; S[y] = state; S_at[y] = S_pos; assert(S_pos <= MOST)
}
/* the ledger takes over what the journal has above a number; what is over first */
inline learn_one(x, dead) {
	if
	:: S_at[x] > above && S[x] != none && L[x] != S[x] && (S[x] == over) == dead ->
		if :: x != 3 && S[x] != over && OPEN(3 - x) -> L[3 - x] = over :: else fi;
		L[x] = S[x]
	:: else
	fi
}
#define KNOWN(d) (!D_passed[d] || L[d] == valid)
inline learn() {
	learn_one(1, true); learn_one(2, true); learn_one(3, true);
	learn_one(1, false); learn_one(2, false); learn_one(3, false);
	above = 0
}

/* ---- front: one message at a time; `busy` is a message of which the signer has done its half ---- */
byte busy = 0;
mtype busy_state = none;
#define MAY_ISSUE(d) (up && busy == 0 && !asked && FITS && !D_stored[d] && L[d] == none && !TAKEN(d) && \
		      UNITS < UNITS_MOST + (d != 3 && OPEN(3 - d)))

proctype Device(byte d)
{
end:	do
	/* reserve; the twin's pending one is superseded, which is in the same message */
	:: atomic { MAY_ISSUE(d) ->
		if
		:: S[d] == none -> journal(d, pending); assert(COUNTED(1) && COUNTED(2) && COUNTED(3))
		:: else                          /* the same again: no change */
		fi;
#ifndef WITHOUT_ENDED
		if :: d != 3 && L[3 - d] == pending && S[3 - d] == pending -> journal(3 - d, over) :: else fi;
#endif
		busy = d; busy_state = pending }
	:: atomic { up && busy == 0 && !asked && FITS && D_stored[d] && L[d] == pending ->
#ifndef WITHOUT_CONFIRMS
		journal(d, valid);
#endif
		busy = d; busy_state = valid }
	/* the pending time is over: the unit goes back */
	:: atomic { up && busy == 0 && !asked && FITS && L[d] == pending && !D_stored[d] && d == 3 ->
#ifndef WITHOUT_ENDED
		journal(d, over);
#endif
		busy = d; busy_state = over }
	:: atomic { busy == d ->
		if :: busy_state == pending && d != 3 && L[3 - d] == pending -> L[3 - d] = over :: else fi;
		L[d] = busy_state; busy = 0; busy_state = none; L_pos = S_pos; assert(UNITS <= UNITS_MOST) }
	:: atomic { up && !asked && !D_stored[d] && L[d] == pending && busy == 0 -> D_stored[d] = true }
	:: atomic { up && !asked && D_stored[d] && !D_passed[d] && L[d] == valid && busy == 0 ->
		D_passed[d] = true; assert(!(D_passed[1] && D_passed[2])) }
	od
}

active proctype Disk()
{
end:	do
	:: atomic { up -> up = false; busy = 0; busy_state = none }                  /* a stop, or a crash anywhere */
	:: atomic { !up && !L_saved -> L_saved = true; LB_pos = L_pos; LB[1] = L[1]; LB[2] = L[2]; LB[3] = L[3] }
	:: atomic { !up && !S_saved -> S_saved = true; SB_pos = S_pos; SB_told = S_told; SB[1] = S[1]; SB[2] = S[2]; SB[3] = S[3];
		SB_at[1] = S_at[1]; SB_at[2] = S_at[2]; SB_at[3] = S_at[3] }
	:: atomic { !up && L_saved && restores > 0 && S_pos + 4 <= MOST ->
		restores--; put_back = true; L_pos = LB_pos; L[1] = LB[1]; L[2] = LB[2]; L[3] = LB[3] }
	:: atomic { !up && S_saved && restores > 0 && S_pos + 4 <= MOST && L_pos <= S_pos ->
		restores--; put_back = true; S_pos = SB_pos; S_told = SB_told; S[1] = SB[1]; S[2] = SB[2]; S[3] = SB[3];
		S_at[1] = SB_at[1]; S_at[2] = SB_at[2]; S_at[3] = SB_at[3] }
	:: atomic { !up ->                                                           /* a start */
		up = true;
		if
		:: FITS ->
#ifndef WITHOUT_REDO
			above = TOLD; learn();   /* the last message */
#endif
			L_pos = S_pos; assert(KNOWN(1) && KNOWN(2) && KNOWN(3)); assert(UNITS <= UNITS_MOST)
		:: else -> asked = true; assert(put_back)
		fi }
	:: atomic { up && asked && BEHIND ->                                         /* reconcile --apply */
#ifndef WITHOUT_RECONCILE
		above = L_pos; learn();
#endif
		S_pos++; S_told = S_pos; L_pos = S_pos; asked = false;
		assert(KNOWN(1) && KNOWN(2) && KNOWN(3)); assert(UNITS <= UNITS_MOST) }
	:: atomic { up && asked && AHEAD ->
		S_pos = L_pos + 1;
		if :: L[1] != none -> S[1] = L[1]; S_at[1] = S_pos :: else fi;
		if :: L[2] != none -> S[2] = L[2]; S_at[2] = S_pos :: else fi;
		if :: L[3] != none -> S[3] = L[3]; S_at[3] = S_pos :: else fi;
		S_told = S_pos; L_pos = S_pos; asked = false }
	od
}

init {
	atomic { run Device(1); run Device(2); run Device(3) }
	timeout -> assert(UNITS <= UNITS_MOST && KNOWN(1) && KNOWN(2) && KNOWN(3))
}
