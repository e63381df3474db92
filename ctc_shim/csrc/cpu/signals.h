/* How a long call lets the Python that waits for it handle signals: see ctc_shim_python. */
#ifndef CTC_SHIM_SIGNALS_H
#define CTC_SHIM_SIGNALS_H
#include "../ctc_shim.h"
#include "base.h"

/* Signals during a call. */
typedef struct {
    const ctc_shim_python *python; /* null: no signal is handled */
    void *state;                   /* of the Python thread, while the GIL is released */
    int64_t stop;                  /* 1: a handler raised, so all threads end */
} ctc_shim_signals;

/* When a thread looks for signals. The one that made the call handles them; the others only look
 * at `stop`. */
typedef struct {
    ctc_shim_signals *signals;
    int64_t handles;
    double work; /* since it last looked, in lattice cells and scores */
} ctc_shim_signal_check;

CTC_SHIM_LOCAL ctc_shim_signals ctc_shim_signals_of(const void *python) {
    ctc_shim_signals signals;
    signals.python = (const ctc_shim_python *)python;
    signals.state = NULL;
    signals.stop = 0;
    return signals;
}

CTC_SHIM_LOCAL void ctc_shim_release(ctc_shim_signals *signals) {
    if (signals->python) signals->state = ((void *(*)(void))signals->python->save)();
}

CTC_SHIM_LOCAL void ctc_shim_regain(ctc_shim_signals *signals) {
    if (signals->python) ((void (*)(void *))signals->python->restore)(signals->state);
}

/* Runs the handlers of the signals that came, if any. */
CTC_SHIM_LOCAL void ctc_shim_handle_signals(ctc_shim_signals *signals) {
    if (!signals->python || signals->stop) return; /* no handler may run with an exception set */
    ctc_shim_regain(signals);
    if (((int (*)(void))signals->python->check)())
        __atomic_store_n(&signals->stop, 1, __ATOMIC_RELAXED);
    ctc_shim_release(signals);
}

/* Must the thread end? It has done so much `work` since the last call. */
CTC_SHIM_LOCAL int ctc_shim_stops(ctc_shim_signal_check *check, double work) {
    check->work += work;
    if (check->handles && check->work > CTC_SHIM_SIGNAL_WORK) {
        ctc_shim_handle_signals(check->signals);
        check->work = 0;
    }
    return __atomic_load_n(&check->signals->stop, __ATOMIC_RELAXED) != 0;
}
#endif
