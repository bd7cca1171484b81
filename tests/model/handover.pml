/* The customer transaction of doc/architecture.md as a model for Spin: one device, a node with HANDLERS concurrent request
 * handlers and a background queue, one customer CA, and an admin who releases a serial when the device is refused.
 *
 * Capital names are persistent state (survives a crash); each atomic block is one committed step. Budgets bound the faults:
 * CRASHES of the device or of a handler at any point between steps, GIVEUPS of a device that no longer waits (its request may
 * be lost or may still arrive, late), CALOSSES of a request or answer between node and CA, WIPES of the device's new slot.
 *
 * Safety: the asserts on the way. Convergence: every run ends (connection numbers only grow, so there is no cycle) and Rest
 * asserts that then the device has a customer credential which node and CA both hold for active, and no other certificate of
 * it is left pending or active.
 *
 * Each of these rules is needed, and each can be left out (-D...), upon which Spin shows a run that ends badly:
 *   WITHOUT_DEAD        a superseded or released request id is dead for ever (generations cover most of it; a released id
 *                       with a late request and a late confirm needs it: three handlers, two GIVEUPS);
 *   WITHOUT_TOMBSTONE   a revocation of an id that the CA has not seen yet leaves a tombstone, so the late request cannot bring
 *                       it to life;
 *   WITHOUT_GENERATION  ids carry a generation, so that a late request of an older one is dead and raises no alarm (else an
 *                       admin is led to release a healthy device);
 *   WITHOUT_ORDER       per serial the node tells the CA a revocation before the next activation (else two certificates are
 *                       active at once).
 * run.sh checks the whole model and then each of the four. */
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef GIVEUPS
#define GIVEUPS 1
#endif
#ifndef CALOSSES
#define CALOSSES 1
#endif
#ifndef WIPES
#define WIPES 1
#endif
#ifndef HANDLERS
#define HANDLERS 2
#endif
#define IDS 4                           /* request ids 1..IDS, 0 = none: first, after a wipe, after a late one, after a release */

mtype = { unseen, pending, valid, revoked };            /* a request id at the CA */
mtype = { listed, issued, onboarded };                  /* the serial at the node */
mtype = { issue, confirm };                             /* requests */
mtype = { cert, ok, dead, again, refused };             /* answers */

/* device */
byte D_new = 0, D_cur = 0, D_next = 1;                  /* request ids of new slot and of current (0 = factory) */
bool D_stored = false;
/* node */
mtype N_state = listed;
byte N_req = 0;
byte N_max = 0;                                         /* highest generation seen: anything below is stale */
bool N_dead[IDS + 1], N_revoke[IDS + 1], N_tell = false, N_release = false;
/* CA */
mtype C_st[IDS + 1] = unseen;

byte crashes = CRASHES, giveups = GIVEUPS, calosses = CALOSSES, wipes = WIPES;
byte conn = 0;                                          /* the connection the device waits on */

chan req = [3] of { mtype, byte, byte };                /* kind, request id, connection */
chan ans = [3] of { mtype, byte, byte };

#ifdef WITHOUT_DEAD
#define DEAD(i) false
#else
#define DEAD(i) N_dead[i]
#endif
#ifdef WITHOUT_GENERATION
#define STALE(i) false
#else
#define STALE(i) (i < N_max)
#endif
#ifdef WITHOUT_TOMBSTONE
#define REVOKE(i) if :: C_st[i] != unseen -> C_st[i] = revoked :: else -> skip fi; N_revoke[i] = false
#else
#define REVOKE(i) C_st[i] = revoked; N_revoke[i] = false
#endif
#ifdef WITHOUT_ORDER
#define NOTHING_TO_REVOKE true
#else
#define NOTHING_TO_REVOKE (!N_revoke[1] && !N_revoke[2] && !N_revoke[3] && !N_revoke[4])
#endif

#define DONE (D_cur != 0 && N_state == onboarded && N_req == D_cur && C_st[D_cur] == valid && QUIET)
#define OPEN(i) (C_st[i] == pending || C_st[i] == valid)
#define QUIET (OPEN(1) + OPEN(2) + OPEN(3) + OPEN(4) == 1)
#define VALIDS ((C_st[1] == valid) + (C_st[2] == valid) + (C_st[3] == valid) + (C_st[4] == valid))

/* ---- device ---- */
inline lose_slot() { D_new = 0; D_stored = false }

active proctype Device()
{
	mtype k, a; byte r, c;
	do
	:: D_cur != 0 -> break
	:: atomic { D_cur == 0 && D_new == 0 && D_next <= IDS -> D_new = D_next; D_next++; D_stored = false }
	:: atomic { D_cur == 0 && D_new != 0 && wipes > 0 -> wipes--; lose_slot() }
	:: D_cur == 0 && D_new != 0 ->
		atomic {                                 /* open a connection and ask */
			conn++;
			if :: D_stored -> k = confirm :: else -> k = issue fi;
			nfull(req) -> req!k(D_new, conn)
		}
		do                                       /* wait for this connection's answer */
		:: ans?a(r, c) ->
			if
			:: c != conn -> skip
			:: else -> break
			fi
		:: atomic { giveups > 0 -> giveups--; a = again;
			if :: true                                /* the request is late */
			   :: req??[k, eval(D_new), eval(conn)] -> req??k, eval(D_new), eval(conn)   /* or lost */
			fi }; break
		:: atomic { crashes > 0 -> crashes--; a = again }; break
		od;
		atomic {
			if
			:: a == cert -> assert(r == D_new); D_stored = true
			:: a == ok -> assert(r == D_new);
				assert(N_state == onboarded && N_req == r && C_st[r] != revoked && C_st[r] != unseen);
				D_cur = D_new; lose_slot()
			:: a == dead -> lose_slot()
			:: a == refused -> !N_release          /* same key, same id, after the admin has acted */
			:: else -> skip                        /* again */
			fi
		}
	od
}

/* ---- node ---- */
/* Nobody listens to a connection that is over: what the device would skip is not sent, which spares states. */
inline answer(what) { atomic { if :: c == conn -> ans!what(r, c) :: else -> skip fi; a_done = true } }
inline maybe_crash() { if :: atomic { crashes > 0 -> crashes--; answer(again) } :: true fi }

active [HANDLERS] proctype Handler()
{
	mtype k; byte r, c; bool a_done;
end:	do
	:: req?k(r, c) ->
		a_done = false;
		if
		:: k == issue ->
			atomic {                              /* authorize and bind: one commit */
				if
				:: DEAD(r) || STALE(r) -> answer(dead)
				:: !DEAD(r) && !STALE(r) && N_state == onboarded && N_req != r -> N_release = true; answer(refused)
				:: else ->
					if
					:: N_state == issued && N_req != r -> N_dead[N_req] = true; N_revoke[N_req] = true
					:: else -> skip
					fi;
					if :: N_state != onboarded -> N_state = issued; N_req = r; N_max = r :: else -> skip fi
				fi
			}
			if :: !a_done -> maybe_crash() :: else -> skip fi;
			if
			:: !a_done ->                         /* XML request to the CA */
				if
				:: atomic { calosses > 0 -> calosses--; answer(again) }                     /* request lost */
				:: atomic {
					if
					:: C_st[r] == unseen -> C_st[r] = pending
					:: C_st[r] == revoked -> skip
					:: else -> skip
					fi }
				   if
				   :: atomic { calosses > 0 -> calosses--; answer(again) }                  /* its answer lost */
				   :: true -> skip
				   fi
				fi
			:: else -> skip
			fi;
			if :: !a_done -> maybe_crash() :: else -> skip fi;
			atomic {
				if
				:: a_done -> skip
				:: !a_done && (DEAD(r) || C_st[r] == revoked) -> answer(dead)
				:: else -> answer(cert)
				fi
			}
		:: k == confirm ->
			atomic {
				if
				:: DEAD(r) || N_req != r -> answer(dead)
				:: else ->
					if :: N_state == issued -> N_state = onboarded; N_tell = true :: else -> skip fi
				fi
			}
			if :: !a_done -> maybe_crash() :: else -> skip fi;
			if :: !a_done -> answer(ok) :: else -> skip fi
		fi;
		atomic { k = 0; r = 0; c = 0; a_done = false }   /* an idle handler remembers nothing */
	od
}

/* the node's queue toward the CA: repeats until it is through; a revocation goes before the next activation */
active proctype Queue()
{
	byte i;
end:	do
	:: atomic { N_tell && NOTHING_TO_REVOKE ->
		assert(C_st[N_req] == pending || C_st[N_req] == valid); C_st[N_req] = valid; N_tell = false; assert(VALIDS == 1) }
	:: atomic { N_revoke[1] -> REVOKE(1) }   /* also an id the CA has not seen: a tombstone */
	:: atomic { N_revoke[2] -> REVOKE(2) }
	:: atomic { N_revoke[3] -> REVOKE(3) }
	:: atomic { N_revoke[4] -> REVOKE(4) }
	od
}

/* the admin releases a serial after a refusal (wiped after active) */
active proctype Admin()
{
end:	do
	:: atomic { N_release && !N_tell && N_state == onboarded && D_cur == 0 ->
		assert(D_new != N_req);      /* a device that still has its key is healthy: nothing may have led to this release */
		N_dead[N_req] = true; N_revoke[N_req] = true; N_state = listed; N_req = 0; N_release = false }
	od
}

/* nothing can move any more: all must be well */
active proctype Rest() { timeout -> assert(DONE) }
