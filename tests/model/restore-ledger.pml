/* The factory ledger put back from a backup as a model for Spin: a front with its ledger, the signer with its own
 * count, devices 1 and 2 with one label (serial 1) and device 3 (serial 2), an order of two units. The backup is taken
 * at any moment and put back at any later one; the signer's database is never put back (it is the memory that restore
 * trusts).
 *
 * A message is a bit that stays; each atomic block is one committed step. Reconciling takes what the signer has
 * counted and the ledger does not know: such a serial counts as issued, whatever else the ledger holds of it is dead,
 * and only an operator's rework issues for it again.
 *
 * Safety: no two devices pass with one serial; never more units than QUOTA are in use, a device that has passed stays
 * known.
 *
 *   WITHOUT_BEHIND     the signer refuses a front whose count is behind its own (so the front is recovering also when
 *                      the file was put back by hand, and nobody was told);
 *   WITHOUT_CONFIRMS   the signer counts confirms, too. The design counts signatures alone: Spin puts back a backup
 *                      from between issue and confirm, which is not behind, and a twin supersedes the unit that has
 *                      passed;
 *   WITHOUT_RECONCILE  what the signer counted and the ledger does not know counts as issued. */
#define QUOTA 2
#define SER(d) (d == 3 -> 2 : 1)
mtype = { none, pending, valid, dead };
bool D_stored[4], D_passed[4];
mtype L[4] = none, B[4] = none;         /* ledger and its backup, by device (one key each) */
byte L_count = 0, B_count = 0;          /* how many signatures the ledger knows */
bool L_issued[3];                       /* serials taken as issued by reconciling */
mtype S[4] = none;                      /* the signer: the key of this device is counted (pending), confirmed (valid) */
byte S_count = 0;
bool backup = false, restored = false;

#define OPEN(d) (L[d] == pending || L[d] == valid)
#define TAKEN(d) (L_issued[SER(d)] || (d != 3 && (L[1] == valid || L[2] == valid)))
#define UNITS ((OPEN(1) || OPEN(2) || L_issued[1]) + (OPEN(3) || L_issued[2]))
#ifdef WITHOUT_BEHIND
#define BEHIND false
#else
#define BEHIND (L_count < S_count)
#endif

#define TWIN_DEAD(d) if :: d != 3 && L[3 - d] != none -> L[3 - d] = dead :: else fi
#define LEARN(d) \
	if \
	:: S[d] == valid -> L[d] = valid; TWIN_DEAD(d) \
	:: S[d] == pending && L[d] == none -> L_issued[SER(d)] = true; TWIN_DEAD(d) \
	:: else \
	fi

proctype Device(byte d)
{
end:	do
	/* reserve (the twin's pending one is superseded), count, sign, commit, answer; the same again gets the same answer */
	:: atomic { !D_stored[d] && L[d] == none && !TAKEN(d) && UNITS < QUOTA + (d != 3 && OPEN(3 - d)) && !BEHIND ->
		if :: S[d] == none -> S[d] = pending; S_count++; L_count++ :: else fi;
		if :: d != 3 && L[3 - d] == pending -> L[3 - d] = dead :: else fi;
		L[d] = pending }
	:: atomic { !D_stored[d] && L[d] == pending -> D_stored[d] = true }
	:: atomic { D_stored[d] && L[d] == pending && !BEHIND ->
#ifndef WITHOUT_CONFIRMS
		S[d] = valid; S_count++; L_count++;
#endif
		L[d] = valid }
	:: atomic { D_stored[d] && !D_passed[d] && L[d] == valid ->
		D_passed[d] = true; assert(!(D_passed[1] && D_passed[2])) }
	od
}

#define KNOWN(d) (!D_passed[d] || L[d] == valid || L_issued[SER(d)])
active proctype Disk()
{
end:	do
	:: atomic { !backup -> backup = true; B_count = L_count; B[1] = L[1]; B[2] = L[2]; B[3] = L[3] }
	:: atomic { backup && !restored -> restored = true; L_count = B_count; L[1] = B[1]; L[2] = B[2]; L[3] = B[3] }
	:: atomic { L_count < S_count ->
#ifndef WITHOUT_RECONCILE
		LEARN(1); LEARN(2); LEARN(3);
#endif
		L_count = S_count; assert(KNOWN(1) && KNOWN(2) && KNOWN(3)) }
	od
}

init {
	atomic { run Device(1); run Device(2); run Device(3) }
	timeout -> assert(UNITS <= QUOTA && KNOWN(1) && KNOWN(2) && KNOWN(3))
}
