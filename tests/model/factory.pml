/* The factory transaction of doc/architecture.md under a work order, as a model for Spin: devices 1 and 2 carry the
 * same label (serial 1) and stand at one station or at two, device 1 may be moved; device 3 has serial 2.
 *
 * A message is a bit that stays: what was sent once may arrive at once, late, never or often. Each atomic block is one
 * committed step. Budgets: CRASHES of front or signer at any point between steps, LAPSES of a healthy device that is
 * slow (a dead one always lapses), TAKEOVERS by an operator, MOVES (also: a slot that is lost), DEATHS of a device for good. The order may end
 * at any time.
 *
 * SCRAP covers what the faults may cost in signatures: LIMIT supersedes, and one for each crash, lapse, move and
 * death. LIMIT is 1 here and 3 in the product.
 *
 * Safety: at most one device a serial passes; the units in use are the serials with an open credential; never more
 * certificates exist than the signer has counted, nor than QUOTA + SCRAP; the scrap allowance is enough. Rest: when
 * nothing moves any more, no unit is lost, and a living device has passed, or has a reason not to.
 *
 *   WITHOUT_ACTIVE       after active a new id is refused (else two devices pass with one serial);
 *   WITHOUT_STATION      another station's pending unit is not superseded, but by an operator's takeover;
 *   WITHOUT_USED         a takeover is used up by the next reservation of the station that it names;
 *   WITHOUT_LIMIT        a serial is superseded only so often (else two devices with one label burn the scrap
 *                        allowance);
 *   WITHOUT_LIMIT_KEPT   a lapse does not reset that count (same end, only slower). The design does not say this: Spin
 *                        does;
 *   WITHOUT_UNIT         a unit belongs to its serial, not to a try;
 *   WITHOUT_LAPSE        a device dead for good while pending gives its unit back;
 *   WITHOUT_PENDING      a lapse is "revoke if still pending": the look at the clock and the commit are two steps;
 *   WITHOUT_DEAD         the confirm of a lapsed or superseded id is answered "dead";
 *   WITHOUT_PASS         the end of the order is judged at the reservation only; repeat and confirm go on;
 *   WITHOUT_TICKET       the ticket names the public key (else who sees the ticket first gets the identity);
 *   WITHOUT_COUNT_FIRST  the signer's count is on its disk before the signature leaves it;
 *   WITHOUT_FREE         the same (order, serial, key) again is free (else a crash of the front costs an allowance).
 * -DHOSTILE: the front is taken over and asks the signer for anything; the quota stands by the signer alone. */
#ifndef QUOTA
#define QUOTA 2
#endif
#ifndef LIMIT
#define LIMIT 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LAPSES
#define LAPSES 0
#endif
#ifndef MOVES
#define MOVES 0
#endif
#ifndef TAKEOVERS
#define TAKEOVERS 0
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#define SCRAP (LIMIT + CRASHES + LAPSES + MOVES + DEATHS)
#define IDS 6                           /* request ids, two a device: 1 2, 3 4, 5 6 */
#define DEV(i) ((i + 1) / 2)
#define SER(i) (DEV(i) == 3 -> 2 : 1)

mtype = { none, pending, valid, superseded, lapsed };

/* devices */
byte D_id[4];                           /* request id of the slot being made */
bool D_stored[4], D_passed[4], D_dead[4];
byte D_station[4], D_gen[4];
/* the network */
bool issue[IDS + 1], confirm[IDS + 1], cert[IDS + 1], dead[IDS + 1], ok[IDS + 1];
byte station[IDS + 1], gen[IDS + 1];    /* what the ticket of an id says */
/* the ledger */
mtype L[IDS + 1] = none;
byte L_open[3], L_gen[3], L_superseded[3], L_used = 0;
byte L_takeover[3];                     /* the station that may supersede what another one has pending */
byte granted = 0, taken = 0;            /* takeovers */
bool L_closed = false;
/* the signer */
bool S_counted[IDS + 1], S_made[IDS + 1];
byte S_used = 0;

byte busy = 0, lapsing = 0;             /* ids; the ledger has one writer */
byte crashes = CRASHES, lapses = LAPSES, moves = MOVES, deaths = DEATHS;

#define MADE (S_made[1] + S_made[2] + S_made[3] + S_made[4] + S_made[5] + S_made[6])
#define COUNTED (S_counted[1] + S_counted[2] + S_counted[3] + S_counted[4] + S_counted[5] + S_counted[6])
#define OPEN(i) (L[i] == pending || L[i] == valid)
#define UNITS ((OPEN(1) || OPEN(2) || OPEN(3) || OPEN(4)) + (OPEN(5) || OPEN(6)))
#define STALE(i) (gen[i] <= L_gen[SER(i)])

#ifdef WITHOUT_ACTIVE
#define ONBOARDED(s) false
#else
#define ONBOARDED(s) (L_open[s] != 0 && L[L_open[s]] == valid)
#endif
#ifdef WITHOUT_STATION
#define ELSEWHERE(i, s) false
#else
#define ELSEWHERE(i, s) (L_open[s] != 0 && station[L_open[s]] != station[i] && L_takeover[s] != station[i])
#endif
#ifdef WITHOUT_LIMIT
#define TOO_OFTEN(s) false
#else
#define TOO_OFTEN(s) (L_open[s] != 0 && L_superseded[s] >= LIMIT)
#endif
#ifdef WITHOUT_PASS
#define GOES_ON !L_closed
#else
#define GOES_ON true
#endif
#define GIVEN_UP(i) (D_dead[DEV(i)] || D_id[DEV(i)] != i)
#define NO_UNIT(s) (L_open[s] == 0 && L_used >= QUOTA)
#define MAY_RESERVE(i, s) (!STALE(i) && !L_closed && !ONBOARDED(s) && !ELSEWHERE(i, s) && !TOO_OFTEN(s) && !NO_UNIT(s))

proctype Device(byte d; byte next; byte last)
{
end:	do
	:: atomic { D_id[d] == 0 && next <= last ->     /* PREPARE, ticket, GO */
		D_id[d] = next; next++; D_gen[d]++; gen[D_id[d]] = D_gen[d]; station[D_id[d]] = D_station[d]; issue[D_id[d]] = true }
	:: atomic { D_id[d] != 0 && cert[D_id[d]] && !D_stored[d] -> D_stored[d] = true; confirm[D_id[d]] = true }
	:: atomic { D_id[d] != 0 && D_stored[d] && ok[D_id[d]] ->
		assert(d == 3 || (!D_passed[1] && !D_passed[2])); D_passed[d] = true; break }
	:: atomic { D_id[d] != 0 && dead[D_id[d]] ->
		if :: D_gen[d] < L_gen[SER(D_id[d])] -> D_gen[d] = L_gen[SER(D_id[d])] :: else fi;
		D_id[d] = 0; D_stored[d] = false }
	:: atomic { d == 1 && D_id[d] != 0 && moves > 0 ->
		moves--; D_id[d] = 0; D_stored[d] = false; if :: D_station[d] = 2 :: true fi }
	:: atomic { deaths > 0 -> deaths--; D_dead[d] = true; break }
	od
}

/* ---- signer: counts and signs id i ---- */
inline count(i) {
	atomic {
		if
#ifndef WITHOUT_FREE
		:: S_counted[i] -> skip
		:: else ->
#else
		:: true ->
#endif
#ifdef HOSTILE
			if :: S_used < QUOTA + SCRAP :: else -> goto end fi;
#else
			assert(S_used < QUOTA + SCRAP);        /* the allowance is enough for what the faults may cost */
#endif
			S_used++; S_counted[i] = true; assert(S_used == COUNTED)
		fi
	}
}
inline sign(i) { S_made[i] = true; assert(MADE <= QUOTA + SCRAP) }

/* ---- front: what becomes of id i ---- */
inline reserve(i, s) {
	if
	:: L_open[s] != 0 ->
		if                                             /* nobody is thrown out by another station */
		:: station[L_open[s]] == station[i]
		:: else -> assert(L_takeover[s] == station[i]); taken++; assert(taken <= granted)
#ifndef WITHOUT_USED
			; L_takeover[s] = 0
#endif
		fi;
		L[L_open[s]] = superseded; L_superseded[s]++
#ifdef WITHOUT_UNIT
		; L_used++
#endif
	:: else -> L_used++
	fi;
	L[i] = pending; L_open[s] = i; L_gen[s] = gen[i];
	assert(L_used <= QUOTA && L_used == UNITS)
}

proctype Front(byte i)
{
end:	do
#ifdef HOSTILE
	:: true ->
#else
	:: atomic { busy == 0 && issue[i] && L[i] == none && MAY_RESERVE(i, SER(i)) -> busy = i };
#endif
#ifdef WITHOUT_COUNT_FIRST
		sign(i);
		if :: atomic { crashes > 0 -> crashes--; busy = 0 }; goto end :: true fi;
		count(i);
#else
		count(i);
		if :: atomic { crashes > 0 -> crashes--; busy = 0 }; goto end :: true fi;
		atomic { sign(i) };
#endif
		if
		:: atomic { crashes > 0 -> crashes--; busy = 0 }     /* nothing was committed, nothing handed out */
#ifdef HOSTILE
		:: break
#else
		:: atomic { reserve(i, SER(i)); busy = 0 }
#endif
		fi
#ifndef HOSTILE
	:: atomic { granted < TAKEOVERS && SER(i) == 1 && L[i] == pending && L_takeover[1] == 0 ->
		granted++; L_takeover[1] = 3 - station[i] }
	:: atomic { busy == 0 && OPEN(i) && !cert[i] && GOES_ON -> cert[i] = true }      /* answer, also to a repetition */
	:: atomic { busy == 0 && issue[i] && !dead[i] && !OPEN(i) && STALE(i) -> dead[i] = true }
#ifdef WITHOUT_DEAD
	:: atomic { busy == 0 && confirm[i] && L[i] != valid && L[i] != none ->
		L[i] = valid; L_open[SER(i)] = i; assert(L_used == UNITS) }
#else
	:: atomic { busy == 0 && confirm[i] && L[i] == pending && GOES_ON -> L[i] = valid }
#endif
	:: atomic { confirm[i] && L[i] == valid && !ok[i] -> ok[i] = true }
#ifdef WITHOUT_TICKET
	:: atomic { busy == 0 && issue[i] && L[i] == none && MAY_RESERVE(i, SER(i)) ->
		assert(false) }                /* a certificate for another key than the station's */
#endif
#ifndef WITHOUT_LAPSE
	:: atomic { lapsing == 0 && L[i] == pending && (GIVEN_UP(i) || lapses > 0) ->      /* a look at the clock ... */
		if :: GIVEN_UP(i) :: else -> lapses-- fi; lapsing = i }
	:: atomic { busy == 0 && lapsing == i ->                                           /* ... and the commit */
		lapsing = 0;
#ifdef WITHOUT_PENDING
		if :: OPEN(i) ->
#else
		if :: L[i] == pending ->
#endif
			L[i] = lapsed; L_used--; L_open[SER(i)] = 0; assert(L_used == UNITS);
#ifndef WITHOUT_USED
			L_takeover[SER(i)] = 0         /* it was for this request */
#endif
#ifdef WITHOUT_LIMIT_KEPT
			L_superseded[SER(i)] = 0
#endif
		:: else fi }
#endif
#endif
	od
}

/* A device at rest has passed with what the ledger holds for active, or is dead or out of ids, or its serial is active
 * already (its twin's, or a slot that was lost after active: a rework), or the order is used up or has ended before. */
#define VALID(s) (L_open[s] != 0 && L[L_open[s]] == valid)
#define WELL(d, last) (D_passed[d] -> L[D_id[d]] == valid : \
		       D_dead[d] || (issue[last] && D_id[d] == 0) || VALID(SER(2 * d)) || NO_UNIT(SER(2 * d)) || \
		       (L_closed && !OPEN(D_id[d])))

init {
	atomic {
		D_station[1] = 1; D_station[3] = 1;
		if :: D_station[2] = 1 :: D_station[2] = 2 fi;
		if :: D_gen[2] = 1 :: true fi;          /* an id that never got here */
#ifndef HOSTILE
		run Device(1, 1, 2); run Device(2, 3, 4); run Device(3, 5, 6);
#endif
		run Front(1); run Front(2); run Front(3); run Front(4); run Front(5); run Front(6)
	}
	if :: L_closed = true :: true fi;       /* the order ends, or not */
	timeout ->
#ifndef HOSTILE
	assert(L_used == UNITS && L_used == VALID(1) + VALID(2));      /* no unit hangs on what will never be active */
	assert(WELL(1, 2) && WELL(2, 4) && WELL(3, 6))
#else
	skip
#endif
}
