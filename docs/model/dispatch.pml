/*
 * dispatch.pml - how a task gets a slot, a message, a worker and its end, for spin. README.md
 * beside it says how to run it and what is bounded; "model: <transition>" in a C file names its part here.
 *
 * Each atomic step is one guarded update or one read of MongoDB, or one thing that a process does
 * by itself; between any two of them anything else may happen. What a process has read may be old
 * when it acts on it, and it may stop for good in between.
 *
 *   -DTASKS=2|3    tasks for the two slots
 *   -DFAULTS=<n>   how much may go wrong in all, each time any of what faults() does, or a task
 *                  fails, or (with LIVE) a scheduler dies in the middle of something
 *   -DPARKINGS=<n> how often a task waits outside
 *   -DLIVE         also the claim that every task ends
 *   -DERROR=<n>    one rule is broken on purpose; spin must find it
 */
#define CLAIM_WITHOUT_FENCE    1 /* any message claims whatever is admitted */
#define REAP_WITHOUT_LEASE     2 /* a worker that missed one beat is lost at once */
#define ADMIT_WITHOUT_GUARD    3 /* a slot is taken without asking whether it is free */
#define FREE_WITHOUT_OUTDATING 4 /* a slot is freed while its admission is still on its way */
#define CLAIM_WITHOUT_LEASE    5 /* a worker whose beats failed claims before it has beaten again */
#define SETTLE_WITHOUT_FENCE   6 /* whoever ends first settles the task */
#define PUBLISH_ONCE           7 /* a message that was lost is not sent again */
#define KEEP_LEAKED_SLOTS      8 /* a slot that no task names back stays taken */
#define HAND_OVER_UNSEEN       9 /* a slot goes to the next before its admission was seen to land */
#ifndef ERROR
#define ERROR 0
#endif

#define SLOTS   2
#define WORKERS 2
#define NONE    7
#define FENCES  8 /* one bit of sent[] for each */

#ifndef TASKS
#define TASKS 2
#endif
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef PARKINGS
#define PARKINGS 1
#endif
#if TASKS == 3
#define ANY(COND)  (COND(0) || COND(1) || COND(2))
#define PICK(COND) if :: COND(0) -> t = 0 :: COND(1) -> t = 1 :: COND(2) -> t = 2 fi
#define SUM(TERM)  (TERM(0) + TERM(1) + TERM(2))
#else
#define ANY(COND)  (COND(0) || COND(1))
#define PICK(COND) if :: COND(0) -> t = 0 :: COND(1) -> t = 1 fi
#define SUM(TERM)  (TERM(0) + TERM(1))
#endif
byte faults_left = FAULTS, waits = PARKINGS;

mtype:state = { READY, ADMITTED, RUNNING, PARKED, DONE };
typedef task_doc {
    mtype:state state = READY;
    byte fence;
    byte slot = NONE;
    byte worker = NONE;
    bool ended; /* parked.ended: what it waits for is over */
};
typedef slot_doc {
    byte task = NONE;
    byte fence;
};
task_doc task[TASKS];
slot_doc slot[SLOTS];
byte sent[TASKS]; /* Kafka: bit f while a message with fence f is under way */
byte ever[TASKS]; /* only with PUBLISH_ONCE */

/* A worker's hold on an attempt: it has the message; it carries the task out; it has given the task
 * up and only hands it back. */
mtype:hold = { IDLE, HANDED, WRITING, GIVEN_UP };
typedef process {
    mtype:hold hold[TASKS] = IDLE;
    byte fence[TASKS];
    bool lapsed[TASKS]; /* a beat was late while it was in hand */
    byte age = 2;       /* of the last beat: 1 is three quarters of the lease, 2 the lease */
    bool dead;
    bool cut; /* MongoDB is out of its reach */
};
process worker[WORKERS];
byte leader;
byte known; /* tasks that were ever read: as long as they are alike, their order means nothing */
byte taken[TASKS]; /* how often a result was taken */

/* --- what must hold --- */

#define HOLDS(i) (task[i].state == ADMITTED || task[i].state == RUNNING || task[i].state == PARKED)
#define OWNS(w, i)                                                                                 \
    (task[i].state == RUNNING && task[i].worker == w && task[i].fence == worker[w].fence[i])
#define WRITES(w, i)   (worker[w].hold[i] == WRITING)
#define STRAYS(i)      ((WRITES(0, i) && !OWNS(0, i)) + (WRITES(1, i) && !OWNS(1, i)))
#define MAY_WRITE(i)   (HOLDS(i) + STRAYS(i))
#define CHECK                                                                                      \
    assert(SUM(MAY_WRITE) <= SLOTS);                                                               \
    assert(!(WRITES(0, t) && WRITES(1, t)))
#define IS_DONE(i) (task[i].state == DONE)
#define UNDONE(i)  (task[i].state != DONE)

#ifdef LIVE
ltl every_task_ends { <> !ANY(UNDONE) }
#endif

/* --- the scheduler --- */

#if ERROR == REAP_WITHOUT_LEASE
#define LOST(w) (worker[w].age > 0 || worker[w].cut)
#else
#define LOST(w) (worker[w].age == 2)
#endif
#define LEADS       (leader == me) /* model: lead */
#define IS_LOST(i)  (task[i].state == RUNNING && LOST(task[i].worker))
#define WOKEN(i)    (task[i].state == PARKED && task[i].ended)
#define ADMITTED_ONLY(i) (task[i].state == ADMITTED)
#define WAITS(i)    (task[i].state == READY && i <= known)
#define REACHED(w, i) (worker[w].hold[i] == HANDED && worker[w].fence[i] == task[i].fence)
#define UNSENT(i)                                                                                  \
    (task[i].state == ADMITTED && !(sent[i] >> task[i].fence & 1) && !REACHED(0, i) &&             \
     !REACHED(1, i) && MAY_SEND(i))
#if ERROR == PUBLISH_ONCE
#define MAY_SEND(i) (!(ever[i] >> task[i].fence & 1))
#else
#define MAY_SEND(i) true
#endif
#if ERROR == ADMIT_WITHOUT_GUARD
#define MAY_TAKE(s) true
#else
#define MAY_TAKE(s) (slot[s].task == o && (o == NONE || slot[s].fence == g))
#endif
#define FREE(s)     (slot[s].task == NONE)
#define NAMED(s)    (HOLDS(slot[s].task) && task[slot[s].task].slot == s)
#if ERROR == KEEP_LEAKED_SLOTS
#define LEAKED(s)   false
#else
#define LEAKED(s)   (!FREE(s) && !NAMED(s))
#endif
/* Its admission has landed, or can no more: nothing is on its way to it. */
#if ERROR == HAND_OVER_UNSEEN
#define SEEN(s)     true
#else
#define SEEN(s)     (IS_DONE(slot[s].task) || task[slot[s].task].fence >= slot[s].fence)
#endif
#define LEFT(s)     (LEAKED(s) && SEEN(s))
#define DOUBTED(s)  (LEAKED(s) && !SEEN(s))
#define IN_REACH(s) (FREE(s) || LEFT(s))
#define PICK_SLOT(COND) if :: COND(0) -> s = 0 :: COND(1) -> s = 1 fi
#define FORGET      t = NONE; s = NONE; f = 0; o = NONE; g = 0
#ifdef LIVE
#define OR_CRASH    :: atomic { faults_left > 0 -> faults_left--; FORGET; goto begin }
#else
#define OR_CRASH
#endif

proctype scheduler(byte me)
{
    byte t = NONE, s = NONE, f, o = NONE, g; /* o, g: what the slot holds */
end:
begin:
    do
    :: atomic { /* model: reap worker */
           LEADS && ANY(IS_LOST) -> PICK(IS_LOST); f = task[t].fence
       }
       if
       :: atomic {
              true ->
              if
              :: task[t].state == RUNNING && task[t].fence == f ->
                 task[t].state = READY; task[t].fence = f + 1;
                 task[t].slot = NONE; task[t].worker = NONE;
                 printf("scheduler %d: reap worker: task %d is ready, fence %d\n", me, t, f + 1)
              :: else
              fi
              FORGET
          }
       OR_CRASH
       fi

    :: atomic { /* model: reap slot */
           LEADS && (DOUBTED(0) || DOUBTED(1)) ->
           PICK_SLOT(DOUBTED); t = slot[s].task; f = slot[s].fence
       }
       if
       :: atomic { /* an admission that is still on its way must not land */
              true ->
              if
              :: ERROR != FREE_WITHOUT_OUTDATING && task[t].state == READY &&
                 task[t].fence == f - 1 ->
                 task[t].fence = f;
                 printf("scheduler %d: reap slot: task %d is outdated, fence %d\n", me, t, f)
              :: else
              fi
          }
       OR_CRASH
       fi
       if
       :: atomic { HOLDS(t) && task[t].slot == s -> FORGET; goto begin }
       :: atomic { !(HOLDS(t) && task[t].slot == s) -> skip }
       OR_CRASH
       fi
       if
       :: atomic {
              true ->
              if
              :: slot[s].task == t && slot[s].fence == f ->
                 slot[s].task = NONE; slot[s].fence = 0;
                 printf("scheduler %d: reap slot: slot %d is free\n", me, s)
              :: else
              fi
              FORGET
          }
       OR_CRASH
       fi

    :: atomic { /* model: give back */
           LEADS && (LEFT(0) || LEFT(1)) ->
           PICK_SLOT(LEFT); o = slot[s].task; g = slot[s].fence
       }
       if
       :: atomic {
              true ->
              if
              :: slot[s].task == o && slot[s].fence == g ->
                 slot[s].task = NONE; slot[s].fence = 0;
                 printf("scheduler %d: give back: slot %d is free\n", me, s)
              :: else
              fi
              FORGET
          }
       OR_CRASH
       fi

    :: atomic { /* model: admit, to a slot that is free or that its task has left */
           LEADS && ANY(WAITS) && (IN_REACH(0) || IN_REACH(1)) ->
           PICK(WAITS); PICK_SLOT(IN_REACH); f = task[t].fence + 1;
           o = slot[s].task; g = slot[s].fence;
           known = (t == known -> known + 1 : known)
       }
       if
       :: atomic {
              MAY_TAKE(s) -> slot[s].task = t; slot[s].fence = f;
              printf("scheduler %d: admit: takes slot %d for task %d, fence %d\n", me, s, t, f)
          }
       :: atomic { !MAY_TAKE(s) -> FORGET; goto begin }
       OR_CRASH
       fi
       if
       :: atomic {
              true ->
              if
              :: task[t].state == READY && task[t].fence == f - 1 ->
                 task[t].state = ADMITTED; task[t].fence = f; task[t].slot = s;
                 printf("scheduler %d: admit: task %d has slot %d, fence %d\n", me, t, s, f);
                 CHECK
              :: else
              fi
              FORGET
          }
       OR_CRASH
       fi

    :: atomic { /* model: wake */
           LEADS && ANY(WOKEN) ->
           PICK(WOKEN); s = task[t].slot; f = task[t].fence + 1
       }
       if
       :: atomic {
              true ->
              if
              :: slot[s].task == t && slot[s].fence <= f -> slot[s].fence = f
              :: else
              fi
          }
       OR_CRASH
       fi
       if
       :: atomic {
              true ->
              if
              :: task[t].state == PARKED && task[t].fence == f - 1 ->
                 task[t].state = ADMITTED; task[t].fence = f; task[t].ended = false;
                 printf("scheduler %d: wake: task %d, fence %d\n", me, t, f)
              :: else
              fi
              FORGET
          }
       OR_CRASH
       fi

    :: atomic { /* model: withdraw, after the pool was made smaller */
           LEADS && faults_left > 0 && ANY(ADMITTED_ONLY) ->
           faults_left--; PICK(ADMITTED_ONLY); f = task[t].fence
       }
       if
       :: atomic {
              true ->
              if
              :: task[t].state == ADMITTED && task[t].fence == f ->
                 task[t].state = READY; task[t].fence = f + 1; task[t].slot = NONE;
                 printf("scheduler %d: withdraw: task %d is ready, fence %d\n", me, t, f + 1)
              :: else
              fi
              FORGET
          }
       OR_CRASH
       fi

    :: atomic { /* model: publish */
           LEADS && ANY(UNSENT) -> PICK(UNSENT);
           sent[t] = sent[t] | 1 << task[t].fence;
           printf("scheduler %d: publish: task %d, fence %d\n", me, t, task[t].fence);
           ever[t] = (ERROR == PUBLISH_ONCE -> sent[t] | ever[t] : 0);
           FORGET
       }
    od
}

/* --- the worker --- */

#define ME         worker[w]
#define ALIVE      (!ME.dead)
#define REACHES    (!ME.dead && !ME.cut)
#if ERROR == CLAIM_WITHOUT_LEASE
#define HAS_LEASE  true
#define LATE       (ME.age > 0 && ME.cut)
#else
#define HAS_LEASE  (ME.age == 0)
#define LATE       (ME.age > 0)
#endif
#if ERROR == CLAIM_WITHOUT_FENCE
#define CLAIMABLE  (task[t].state == ADMITTED)
#else
#define CLAIMABLE  (task[t].state == ADMITTED && task[t].fence == ME.fence[t])
#endif
#if ERROR == SETTLE_WITHOUT_FENCE
#define IS_MINE    true
#else
#define IS_MINE    OWNS(w, t)
#endif
#define IN_HAND(i)   (ME.hold[i] == HANDED)
#define BUSY(i)      (ME.hold[i] == WRITING)
#define GAVE_UP(i)   (ME.hold[i] == GIVEN_UP)
#define WAITING(i)   (task[i].state == PARKED && !task[i].ended)
#define HAS_MAIL(i)  (sent[i] != 0 && ME.hold[i] == IDLE)
/* One of the messages under way: f. */
#define PICK_MESSAGE                                                                               \
    f = 0;                                                                                         \
    do                                                                                             \
    :: sent[t] >> f & 1 -> break                                                                   \
    :: sent[t] >> f + 1 -> f++                                                                     \
    od;                                                                                            \
    sent[t] = sent[t] & ~(1 << f)
#define LET_GO                                                                                     \
    ME.hold[t] = IDLE;                                                                             \
    ME.fence[t] = 0;                                                                               \
    ME.lapsed[t] = false;                                                                          \
    t = NONE

proctype worker_main(byte w)
{
    byte t = NONE, f;
end:
    do
    :: atomic { /* model: hand over */
           ALIVE && HAS_LEASE && ANY(HAS_MAIL) -> PICK(HAS_MAIL); PICK_MESSAGE;
           ME.hold[t] = HANDED; ME.fence[t] = f;
           printf("worker %d: hand over: task %d, fence %d\n", w, t, f);
           t = NONE; f = 0
       }
    :: atomic { /* model: claim */
           REACHES && ANY(IN_HAND) -> PICK(IN_HAND);
           if
           :: CLAIMABLE ->
              task[t].state = RUNNING; task[t].worker = w;
              ME.hold[t] = (HAS_LEASE && !ME.lapsed[t] -> WRITING : GIVEN_UP);
              printf("worker %d: claim: task %d, fence %d\n", w, t, ME.fence[t]);
              CHECK;
              t = NONE
           :: else -> LET_GO
           fi
       }
    :: atomic { /* model: settle */
           REACHES && ANY(BUSY) -> PICK(BUSY);
           if
           :: IS_MINE ->
              task[t].slot = NONE; task[t].worker = NONE; task[t].fence = 0; sent[t] = 0;
              taken[t]++; task[t].state = DONE;
              printf("worker %d: settle: task %d is done\n", w, t);
              assert(taken[t] == 1)
           :: IS_MINE && faults_left > 0 -> faults_left--;
              task[t].slot = NONE; task[t].worker = NONE; task[t].state = READY
           :: IS_MINE && waits > 0 -> waits--; task[t].worker = NONE; task[t].state = PARKED
           :: !IS_MINE
           fi
           LET_GO
       }
    :: atomic { /* model: hand back */
           REACHES && ANY(GAVE_UP) -> PICK(GAVE_UP);
           if
           :: IS_MINE ->
              task[t].slot = NONE; task[t].worker = NONE; task[t].state = READY;
              printf("worker %d: hand back: task %d\n", w, t)
           :: else
           fi
           LET_GO
       }
    :: atomic { /* model: give up */
           ALIVE && LATE && ANY(BUSY) -> PICK(BUSY); ME.hold[t] = GIVEN_UP;
           printf("worker %d: give up: task %d\n", w, t);
           t = NONE
       }
    :: atomic { /* model: beat */
           REACHES && ME.age > 0 ->
           for (t : 0 .. TASKS - 1) {
               if
               :: ERROR != CLAIM_WITHOUT_LEASE && BUSY(t) -> ME.hold[t] = GIVEN_UP
               :: IN_HAND(t) -> ME.lapsed[t] = true
               :: else
               fi
           }
           t = NONE; ME.age = 0;
           printf("worker %d: beat\n", w)
       }
    :: atomic { /* model: watch */
           REACHES && ANY(WAITING) -> PICK(WAITING); task[t].ended = true; t = NONE
       }
    /* Time. A worker looks at its lease more often than a quarter of it goes by. */
    :: atomic {
           (ME.dead || ME.cut) && ME.age == 0 -> ME.age = 1;
           printf("worker %d: no beat for 3/4 of the lease\n", w)
       }
    :: atomic {
           (ME.dead || ME.cut) && ME.age == 1 && !ANY(BUSY) -> ME.age = 2;
           printf("worker %d: no beat for the lease\n", w)
       }
    :: atomic {
           ME.cut && !ME.dead -> ME.cut = false;
           printf("worker %d: reaches MongoDB again\n", w)
       }
    od
}

/* --- what goes wrong --- */

#define UNDER_WAY(i) (sent[i] != 0)
#define WAS_SENT(i)  (task[i].fence > 0 && task[i].state != DONE)

proctype faults()
{
    byte t = NONE, w, f;
end:
    do
    :: atomic {
           faults_left > 0 && !worker[0].dead && !worker[1].dead ->
           faults_left--; select (w : 0 .. WORKERS - 1);
           ME.dead = true; ME.cut = false;
           printf("fault: worker %d dies\n", w);
           for (t : 0 .. TASKS - 1) {
               ME.hold[t] = IDLE; ME.fence[t] = 0; ME.lapsed[t] = false
           }
           t = NONE; w = 0
       }
    :: atomic {
           faults_left > 0 -> faults_left--; worker[0].cut = !worker[0].dead;
           printf("fault: worker 0 is cut off\n")
       }
    :: atomic { /* a message is lost */
           faults_left > 0 && ANY(UNDER_WAY) -> faults_left--; PICK(UNDER_WAY); PICK_MESSAGE;
           printf("fault: a message for task %d is lost\n", t);
           t = NONE; f = 0
       }
    :: atomic { /* model: take over, while the other one is in the middle of something */
           faults_left > 0 -> faults_left--; leader = 1 - leader;
           printf("fault: scheduler %d leads\n", leader)
       }
    :: atomic { /* a duplicate */
           faults_left > 0 && ANY(WAS_SENT) -> faults_left--; PICK(WAS_SENT);
           sent[t] = sent[t] | 1 << task[t].fence;
           printf("fault: a second message for task %d\n", t);
           t = NONE
       }
    :: break
    od
}

init
{
    atomic {
        run scheduler(0); run scheduler(1); run worker_main(0); run worker_main(1); run faults()
    }
}
